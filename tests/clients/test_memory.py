"""What the api's process keeps of the images that pass through it: nothing."""

from __future__ import annotations

import json
import os
import threading
import urllib.request
from pathlib import Path

SIZE = 64 << 20
AT_ONCE = 4
MOST_MIB = 24
"""What a process may keep after much more than that has passed: threads and caches, not data. It kept 100 before."""


def _private_mib(cloud):
    pid = (cloud.folder / "run" / "api.pid").read_text().split()[0]
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("Private_Dirty:"))


def _ask(cloud, token, method, path, data=None, kind="application/octet-stream"):
    headers = {"X-Auth-Token": token, "Content-Type": kind}
    asked = urllib.request.Request(f"{cloud.root}/image/v2/{path}", data, headers, method=method)
    with urllib.request.urlopen(asked) as answer:
        size, first = 0, b""
        while piece := answer.read(1 << 20):
            size, first = size + len(piece), first or piece
        return size, first


def _upload_and_download(cloud, token, data):
    body = json.dumps({"disk_format": "raw", "container_format": "bare"}).encode()
    image = json.loads(_ask(cloud, token, "POST", "images", body, "application/json")[1])["id"]
    _ask(cloud, token, "PUT", f"images/{image}/file", data)
    for _ in range(2):
        assert _ask(cloud, token, "GET", f"images/{image}/file")[0] == len(data)
    _ask(cloud, token, "DELETE", f"images/{image}")


def test_images_that_pass_leave_nothing_in_memory(cloud):
    token = cloud.run("token", "issue", "-f", "value", "-c", "id", user="trial").strip()
    _upload_and_download(cloud, token, os.urandom(1 << 20))
    before = _private_mib(cloud)
    data = os.urandom(SIZE)
    threads = [
        threading.Thread(target=_upload_and_download, args=(cloud, token, data)) for _ in range(AT_ONCE)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _private_mib(cloud) - before < MOST_MIB

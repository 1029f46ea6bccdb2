"""Upload and download of image data: MB/s beside `cp` on the same disk, and the memory of the api's process.

    .venv/bin/python benchmarks/image.py [--size-mib 2048] [--folder /var/tmp]

It starts a simulated cloud of its own in the folder and removes it in the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MIB = 1 << 20


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clear(*arguments: str) -> None:
    subprocess.run([ROOT / "clearsky", *arguments], check=True, capture_output=True)


class Cloud:
    def __init__(self, folder: Path) -> None:
        self.file, self.port = folder / "clearsky.toml", _port()
        self.folder = folder
        self.file.write_text(
            f'[cloud]\nname = "benchmark"\nstate_dir = "{folder}/state"\nrun_dir = "{folder}/run"\n'
            f'clouds_file = "{folder}/clouds.yaml"\nsimulate = true\n[api]\nport = {self.port}\n'
        )

    def __enter__(self) -> Cloud:
        _clear("--config", str(self.file), "up", "--simulate")
        import yaml

        auth = yaml.safe_load((self.folder / "clouds.yaml").read_text())["clouds"]["benchmark-admin"]["auth"]
        user = {"name": auth["username"], "domain": {"id": "default"}, "password": auth["password"]}
        scope = {"project": {"name": auth["project_name"], "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        answer, _ = self.ask("POST", "/identity/v3/auth/tokens", json.dumps(body))
        self.token = answer.headers["X-Subject-Token"]
        return self

    def __exit__(self, *_: object) -> None:
        _clear("--config", str(self.file), "down", "--purge")

    token = ""

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        connection.request(method, path, body, {"X-Auth-Token": self.token, **headers})  # type: ignore[arg-type]
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status < 300, (answer.status, data[:300])
        return answer, data

    def pid(self) -> int:
        """Return the process that listens on the port."""
        for status in Path("/proc").glob("[0-9]*/cmdline"):
            words = status.read_bytes().split(b"\0")
            environment = status.with_name("environ")
            if b"clearsky.api" in words and str(self.file).encode() in environment.read_bytes():
                return int(status.parent.name)
        raise AssertionError("the api's process is not found")

    def memory_mib(self, what: str) -> int:
        for line in Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith(what):
                return int(line.split()[1]) // 1024
        raise AssertionError(what)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.pid()}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _upload(cloud: Cloud, source: Path, path: str) -> float:
    """Send a file by sendfile: the client shall cost nothing."""
    size = source.stat().st_size
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", cloud.port)) as line, source.open("rb") as file:
        line.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {cloud.token}\r\n"
            f"Content-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n".encode()
        )
        line.sendfile(file)
        answer = line.recv(4096)
    assert b" 204 " in answer.split(b"\r\n")[0], answer[:300]
    return time.perf_counter() - started


def _download(cloud: Cloud, path: str, size: int) -> float:
    started = time.perf_counter()
    buffer, left = bytearray(4 * MIB), size
    with socket.create_connection(("127.0.0.1", cloud.port)) as line:
        line.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {cloud.token}\r\n\r\n".encode()
        )
        while left > 0 and (got := line.recv_into(buffer)):
            left -= got
    assert left <= 0, "the data broke off"
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size-mib", type=int, default=2048)
    parser.add_argument("--folder", default="/var/tmp")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="clearsky-benchmark-", dir=options.folder))
    size = options.size_mib * MIB
    try:
        source = folder / "source"
        with source.open("wb") as file:
            block = os.urandom(64 * MIB)
            for _ in range(options.size_mib // 64):
                file.write(block)
        subprocess.run(["sync"], check=True)
        started = time.perf_counter()
        subprocess.run(["cp", source, folder / "copy"], check=True)
        descriptor = os.open(folder / "copy", os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        seconds = {"cp and fsync": time.perf_counter() - started}
        (folder / "copy").unlink()
        cpu: dict[str, float] = {}
        with Cloud(folder) as cloud:
            before = cloud.memory_mib("VmRSS")
            for what, last in (("upload", "file"), ("stage", "stage")):
                body = json.dumps({"disk_format": "raw", "container_format": "bare"})
                kind = {"Content-Type": "application/json"}
                id = json.loads(cloud.ask("POST", "/image/v2/images", body, **kind)[1])["id"]
                used = cloud.cpu_s()
                seconds[what] = _upload(cloud, source, f"/image/v2/images/{id}/{last}")
                cpu[what] = cloud.cpu_s() - used
                if what == "upload":
                    peak = cloud.memory_mib("VmHWM")
                    for again in ("download", "download again"):
                        used = cloud.cpu_s()
                        seconds[again] = _download(cloud, f"/image/v2/images/{id}/file", size)
                        cpu[again] = cloud.cpu_s() - used
            for name, taken in seconds.items():
                spent = f"{cpu[name] / size * 1e9:6.2f} s of CPU a GB" if name in cpu else ""
                print(f"{name:14} {size / 1e6 / taken:8.0f} MB/s {spent}")
            print(
                f"api process: {before} MiB before, {peak} MiB at most while uploading {options.size_mib} MiB"
            )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())

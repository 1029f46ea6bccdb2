"""`clearsky image import`: files and URLs become images, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from clearsky.cli import fetching

MIB = 1 << 20


def _disk(folder, format="qcow2", size_mib=8):
    """Make a disk with a boot sector by qemu-img; return its file."""
    raw, made = folder / "plain", folder / f"trial-disk.{format}"
    raw.write_bytes(b"\0" * 510 + b"\x55\xaa" + os.urandom(size_mib * MIB - 512))
    words = [
        "qemu-img",
        "convert",
        "-f",
        "raw",
        "-O",
        {"vhd": "vpc"}.get(format, format),
        str(raw),
        str(made),
    ]
    subprocess.run(words, check=True)
    raw.unlink()
    return made


def _command(cloud):
    program = [sys.executable, "-m", "clearsky.cli.main", "--config", str(cloud.folder / "clearsky.toml")]
    return [*program, "image", "import"]


def _import(cloud, *words):
    command = [*_command(cloud), *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, cwd=cloud.folder)


def _made(cloud, *words):
    done = _import(cloud, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return cloud.json("image", "show", done.stdout.splitlines()[-1].split()[0])


def _refused(cloud, *words):
    done = _import(cloud, *words)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


def _sha512(path):
    return hashlib.sha512(path.read_bytes()).hexdigest()


def _count(cloud):
    return len(cloud.json("image", "list", "--all"))


def test_a_file_becomes_a_public_image_of_the_format_that_it_is(cloud, tmp_path):
    file = _disk(tmp_path)
    shown = _made(cloud, "--property", "os_distro=debian", "--tag", "base", "--min-disk", "2", file)
    assert (shown["name"], shown["status"], shown["disk_format"]) == ("trial-disk", "active", "qcow2")
    assert (shown["visibility"], shown["min_disk"], shown["tags"]) == ("public", 2, ["base"])
    assert (shown["size"], shown["virtual_size"]) == (file.stat().st_size, 8 * MIB)
    assert shown["properties"]["os_hash_value"] == _sha512(file)
    assert shown["properties"]["os_distro"] == "debian"
    cloud.run("image", "delete", shown["id"])


def test_an_image_for_a_project_is_its_own(cloud, tmp_path):
    shown = _made(cloud, "--project", "demo", "--name", "theirs", _disk(tmp_path, "raw"))
    assert (shown["disk_format"], shown["visibility"]) == ("raw", "private")
    assert cloud.json("image", "show", "theirs", user="trial")["owner"] == shown["owner"]
    cloud.run("image", "delete", "theirs", user="trial")
    assert "no project has this name" in _refused(cloud, "--project", "nobody", _disk(tmp_path, "raw"))


@pytest.mark.parametrize("format", ["vmdk", "vdi", "vhd"])
def test_a_format_that_servers_cannot_start_from_is_taken_and_said_so(cloud, tmp_path, format):
    done = _import(cloud, _disk(tmp_path, format))
    assert done.returncode == 0, done.stderr
    assert f"Servers cannot start from {format}" in done.stdout
    assert cloud.json("image", "show", "trial-disk")["disk_format"] == format
    cloud.run("image", "delete", "trial-disk")


def test_what_is_no_disk_makes_no_image(cloud, tmp_path):
    before = _count(cloud)
    page = tmp_path / "page.img"
    page.write_bytes(b"<!DOCTYPE html>not found")
    assert "say --disk-format raw" in _refused(cloud, page)
    packed = tmp_path / "disk.raw.xz"
    packed.write_bytes(b"\xfd7zXZ\0" + b"\0" * 100)
    assert "packed with xz: unpack it first" in _refused(cloud, packed)
    empty = tmp_path / "empty"
    empty.touch()
    assert "the file is empty" in _refused(cloud, empty)
    assert "No such file" in _refused(cloud, tmp_path / "nothing")
    disk = _disk(tmp_path)
    assert "disk_format is 'raw' but the data is 'qcow2'" in _refused(cloud, "--disk-format", "raw", disk)
    backed = tmp_path / "backed.qcow2"
    subprocess.run(
        ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(disk), "-F", "qcow2", str(backed)], check=True
    )
    assert "backing file" in _refused(cloud, backed)
    assert "it is another file" in _refused(cloud, "--checksum", "sha256:" + "0" * 64, disk)
    assert "--checksum crc:1" in _refused(cloud, "--checksum", "crc:1", disk)
    assert _count(cloud) == before


def test_what_the_api_refuses_makes_no_image(cloud, tmp_path):
    before = _count(cloud)
    told = _refused(cloud, "--property", "owner_" + "x" * 300 + "=1", _disk(tmp_path))
    assert "answered 400" in told
    assert _count(cloud) == before


def test_an_import_that_is_ended_in_the_middle_leaves_no_image(cloud, tmp_path):
    large = tmp_path / "large.img"
    large.write_bytes(b"\0" * 510 + b"\x55\xaa")
    os.truncate(large, 8 << 30)
    process = subprocess.Popen(
        [*_command(cloud), "--name", "large", str(large)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )

    def is_there():
        return "large" in {one["Name"] for one in cloud.json("image", "list", "--all")}

    while not is_there():
        assert process.poll() is None, "it ended before the image was there"
    process.terminate()
    told, _ = process.communicate(timeout=60)
    assert (process.returncode, b"Aborted!" in told) == (1, True), told
    assert not is_there()


def test_without_a_cloud_it_says_so(tmp_path):
    file = tmp_path / "clearsky.toml"
    file.write_text(f'[cloud]\nstate_dir = "{tmp_path}/state"\nrun_dir = "{tmp_path}/run"\n')
    command = [sys.executable, "-m", "clearsky.cli.main", "--config", str(file), "image", "import", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, "there is no cloud in" in done.stderr) == (1, True), done.stderr


# -- URLs -------------------------------------------------------------------------------------------------------------


@dataclass
class Shelf:
    """A web server with one file. It breaks off after `cut` bytes, `cuts` times; knows ranges where `ranges`."""

    body: bytes
    url: str = ""
    tag: str = '"one"'
    cut: int = 0
    cuts: int = 0
    ranges: bool = True
    asked: list[str] = field(default_factory=list)

    def part(self, headers):
        """Return (status, first byte) for a request."""
        wanted = headers.get("Range", "")
        self.asked.append(wanted)
        if self.ranges and wanted and headers.get("If-Range") == self.tag:
            at = int(wanted.removeprefix("bytes=").rstrip("-"))
            return (206, at) if at < len(self.body) else (416, at)
        return 200, 0


@pytest.fixture
def shelf(tmp_path):
    one = Shelf(_disk(tmp_path).read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path != "/disk.qcow2":
                self.send_error(404)
                return
            status, at = one.part(self.headers)
            body, size = one.body[at:], len(one.body)
            self.send_response(status)
            self.send_header("ETag", one.tag)
            where = "*" if status == 416 else f"{at}-{size - 1}"
            self.send_header("Content-Range", f"bytes {where}/{size}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if one.cuts:
                one.cuts -= 1
                body = body[: one.cut]
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}/disk.qcow2"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield one
    server.shutdown()
    server.server_close()
    thread.join()


def _kept(cloud):
    return [path.name for path in (cloud.folder / "state/cache/imports").iterdir()]


def test_a_download_that_breaks_off_goes_on_and_becomes_an_image(cloud, shelf):
    shelf.cut, shelf.cuts = MIB, 2
    digest = hashlib.sha256(shelf.body).hexdigest()
    shown = _made(cloud, "--checksum", digest, shelf.url)
    assert (shown["name"], shown["size"]) == ("disk", len(shelf.body))
    assert shown["properties"]["os_hash_value"] == hashlib.sha512(shelf.body).hexdigest()
    assert shelf.asked == ["", f"bytes={MIB}-", f"bytes={2 * MIB}-"]
    assert _kept(cloud) == []
    cloud.run("image", "delete", shown["id"])


def test_the_same_command_goes_on_where_another_was_given_up(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "PAUSE_S", 0.0)
    shelf.cut, shelf.cuts = MIB, 1
    download = fetching.kept(shelf.url, tmp_path / "imports")
    seen = []

    def stop_after_a_mebibyte(at, _total):
        seen.append(at)
        if at >= MIB:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetching.fetch(download, stop_after_a_mebibyte)
    fetching.fetch(fetching.kept(shelf.url, tmp_path / "imports"), lambda *_: None)
    assert download.part.read_bytes() == shelf.body
    assert shelf.asked == ["", f"bytes={seen[-1]}-"]
    fetching.fetch(download, lambda *_: None)
    assert download.part.read_bytes() == shelf.body, "what is whole stays as it is"


@pytest.mark.parametrize("how", ["changed", "no ranges"])
def test_a_file_that_is_another_by_now_is_fetched_from_its_beginning(shelf, tmp_path, monkeypatch, how):
    monkeypatch.setattr(fetching, "PAUSE_S", 0.0)
    download = fetching.kept(shelf.url, tmp_path / "imports")
    download.part.write_bytes(b"old" * MIB * 5)
    download._note.write_text('{"mark": "\\"one\\""}')
    if how == "changed":
        shelf.tag = '"two"'
    else:
        shelf.ranges = False
    fetching.fetch(download, lambda *_: None)
    assert download.part.read_bytes() == shelf.body


def test_a_url_that_gives_nothing_makes_no_image(cloud, shelf):
    before = _count(cloud)
    assert "404" in _refused(cloud, shelf.url + ".sig")
    assert "only http and https" in _refused(cloud, "ftp://127.0.0.1/disk.qcow2")
    shelf.body = b"<html>moved</html>"
    assert "say --disk-format raw" in _refused(cloud, shelf.url)
    assert _kept(cloud) == []
    assert _count(cloud) == before

"""Conversion: the right bytes come out, and the process that makes them can do nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from clearsky.errors import ClearskyError, Invalid
from clearsky.image import convert
from clearsky.image.driver.interface import StorageFull

from . import corpus as c


def _job(folder, data, source="qcow2", target="raw", limit=1 << 30, deadline_s=60.0):
    (folder / "stored").write_bytes(data)
    return convert.Job(
        folder / "stored", folder / "made", source, target, limit, time.time() + deadline_s, "nobody"
    )


@pytest.mark.parametrize("format", ["qcow2", "vmdk", "vdi", "vhdx"])
def test_the_disk_is_the_same_in_the_other_format(tmp_path, format):
    job = _job(tmp_path, c.made(tmp_path, format), format)
    size = convert.convert(job, lambda _done: None)
    assert (tmp_path / "made").read_bytes() == (tmp_path / "source").read_bytes()
    assert size == 8 * c.MIB
    assert not (tmp_path / "made.convert").exists()
    for path in (job.source, job.target):
        assert path.stat().st_uid == os.geteuid()


def test_raw_becomes_qcow2(tmp_path):
    convert.convert(_job(tmp_path, c.made(tmp_path, "raw"), "raw", "qcow2"), lambda _done: None)
    assert (tmp_path / "made").read_bytes()[:4] == b"QFI\xfb"


def test_what_cannot_be_read_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(Invalid, match="cannot be converted"):
        convert.convert(_job(tmp_path, c.qcow2(l1_offset=7)), lambda _done: None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stored"]


def test_more_output_than_allowed_ends_it(tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x" * (100 << 20))
    job = _job(tmp_path, source.read_bytes(), "raw", "qcow2", limit=1 << 20)
    with pytest.raises(Invalid, match="larger than"):
        convert.convert(job, lambda _done: None)
    assert not job.target.exists()


def test_whoever_waits_can_end_it(tmp_path, monkeypatch):
    monkeypatch.setattr(convert, "command", lambda _job: ["sleep", "60"])

    def stop(_done):
        raise StorageFull("enough")

    with pytest.raises(StorageFull, match="enough"):
        convert.convert(_job(tmp_path, b"x"), stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stored"]


def test_the_process_has_no_network_no_rights_and_limits(tmp_path):
    """The same prison, with a program that looks around in it."""
    job = _job(tmp_path, b"x")
    folder = tmp_path / "cell"
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody")
    words = convert.command(job)
    look = "id -u; cat /proc/net/dev | tail -n +3 | wc -l; grep -E 'CapEff|NoNewPrivs' /proc/self/status; ulimit -v; ulimit -n"
    prison = [*words[: words.index("qemu-img")], "sh", "-c", look]
    done = subprocess.run(prison, capture_output=True, text=True, check=True, cwd=folder)
    uid, devices, *rest = done.stdout.split("\n")
    assert uid != "0"
    assert int(devices) <= 1, "loopback, and that is down"
    assert "NoNewPrivs:\t1" in rest
    assert "CapEff:\t0000000000000000" in rest
    assert str(convert._MEMORY_BYTES >> 10) in rest
    assert "64" in rest


def test_a_machine_that_cannot_isolate_does_not_convert(tmp_path, monkeypatch):
    real = convert.command
    monkeypatch.setattr(
        convert, "command", lambda job: ["sh", "-c", "echo unshare: not permitted >&2; exit 1"]
    )
    with pytest.raises(ClearskyError, match="cannot be isolated"):
        convert.convert(_job(tmp_path, b"x"), lambda _done: None)
    assert "unshare" in real(_job(tmp_path, b"x"))
    assert not Path(tmp_path / "made").exists()

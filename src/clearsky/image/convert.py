"""Conversion of disk formats by qemu-img, in a process that can do nothing else.

The format is what inspection found, never what qemu-img would guess. The process has no network, no privileges, no
more memory, time and output than it needs; as root it also gives up its account.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clearsky.errors import Invalid, Unavailable
from clearsky.image.driver.files import workshop
from clearsky.image.driver.interface import StorageFull

SOURCES = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx"}
"""disk_format -> qemu-img's name for it. ISO images stay what they are: servers get them as a CD."""
TARGETS = ("raw", "qcow2")
_MEMORY_BYTES = 2 << 30
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Job:
    source: Path
    target: Path
    """Does not exist yet; it is there when all is done."""
    source_format: str
    target_format: str
    limit_bytes: int
    """Of the output."""
    deadline_at: float
    account: str
    """What a process that root starts becomes."""


def command(job: Job) -> list[str]:
    """Return the argument list: limits, then isolation, then qemu-img with two files of its own folder."""
    limits = {
        "as": _MEMORY_BYTES,
        "fsize": job.limit_bytes + (64 << 20),
        "cpu": max(1, int(job.deadline_at - time.time())),
        "nofile": 64,
        "core": 0,
    }
    isolation = ["unshare", "--net", "--ipc"]
    rights = ["setpriv", "--no-new-privs", "--pdeathsig", "KILL"]
    if os.geteuid() == 0:
        account = _account(job)
        rights += ["--reuid", str(account.pw_uid), "--regid", str(account.pw_gid), "--clear-groups"]
        rights += ["--bounding-set=-all", "--inh-caps=-all"]
    else:
        isolation += ["--user", "--map-current-user"]
    formats = ["-f", SOURCES[job.source_format], "-O", job.target_format]
    return [
        "prlimit", *(f"--{name}={value}" for name, value in limits.items()), *isolation, *rights,
        "qemu-img", "convert", "-q", *formats, "in", "out",
    ]  # fmt: skip


def _account(job: Job) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(job.account)
    except KeyError:
        return pwd.getpwnam("nobody")


def convert(job: Job, beat: Callable[[int], None]) -> int:
    """Convert and return the output's size; `beat` is called all along with the bytes that are written so far.

    Raises Invalid, StorageFull, Unavailable, and what `beat` raises.
    """
    folder = workshop(job.target)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    try:
        os.link(job.source, folder / "in")
        if os.geteuid() == 0:
            account = _account(job)
            for path in (folder, folder / "in"):
                os.chown(path, account.pw_uid, account.pw_gid)
        _run(job, folder, beat)
        made = folder / "out"
        os.chown(made, os.geteuid(), os.getegid())
        made.chmod(0o640)
        descriptor = os.open(made, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        made.rename(job.target)
        return job.target.stat().st_size
    finally:
        if os.geteuid() == 0 and job.source.exists():
            os.chown(job.source, 0, 0)
        shutil.rmtree(folder, ignore_errors=True)


def _run(job: Job, folder: Path, beat: Callable[[int], None]) -> None:
    out = folder / "out"
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                command(job), cwd=folder, stdin=subprocess.DEVNULL, stdout=words, stderr=words,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            )  # fmt: skip
        except OSError as error:
            raise Unavailable(f"qemu-img cannot be started: {error}") from error
        try:
            while True:
                try:
                    status = process.wait(_POLL_S)
                    break
                except subprocess.TimeoutExpired:
                    beat(out.stat().st_blocks * 512 if out.exists() else 0)
        finally:
            process.kill()
            process.wait()
        words.seek(0)
        said = words.read(2000).decode(errors="replace").strip()
    if status == 0:
        return
    if "No space left" in said or "Disk quota" in said:
        raise StorageFull("Image storage media is full: the data was not converted.")
    if said.startswith(("unshare:", "setpriv:", "prlimit:")):
        raise Unavailable(f"qemu-img cannot be isolated on this machine: {said:.300}")
    if status == -signal.SIGXFSZ or "File too large" in said:
        raise Invalid(
            f"The converted image would be larger than the {job.limit_bytes} bytes that are allowed."
        )
    raise Invalid(
        f"The image cannot be converted from {job.source_format}: {said[-300:] or f'status {status}'}"
    )

"""`clearsky test`: the project's tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

PACKAGES = {
    "postgresql": "/usr/lib/postgresql/*/bin/initdb",
    "openssh-client": "/usr/bin/ssh",
    "qemu-utils": "/usr/bin/qemu-img",
    "ceph-mon": "/usr/bin/ceph-mon",
    "ceph-osd": "/usr/bin/ceph-osd",
    "ceph-common": "/usr/bin/rbd",
    "python3-rados": "/usr/lib/python3/dist-packages/rados.*.so",
    "python3-rbd": "/usr/lib/python3/dist-packages/rbd.*.so",
}
"""Debian package -> a file of it."""
FAST = ("qemu-utils",)
"""What the fast tests need as well: images are looked at and converted."""


@click.command("test", context_settings={"ignore_unknown_options": True})
@click.option("--fast", is_flag=True, help="Without the tests that need real engines or a running cloud.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
def command(fast: bool, more: tuple[str, ...]) -> None:
    """Run every test, the API's on SQLite and on PostgreSQL. What follows is handed to pytest instead.

    \b
    ./clearsky test --fast                           what needs no root and no engines
    ./clearsky test tests/api/compute -q             some of them
    sudo ./clearsky test                             everything
    sudo ./clearsky test tests/machine --machine -n 0    on Debian machines that have nothing yet
    """
    root = Path(__file__).parents[3]
    pytest = [sys.executable, "-m", "pytest", "-n", "2"]
    if more:
        sys.exit(subprocess.run([*pytest, *more], cwd=root, check=False).returncode)
    chosen = ["-m", "not functional and not system and not clients"] if fast else []
    runs = [[*pytest, *chosen]]
    _install({name: PACKAGES[name] for name in (FAST if fast else PACKAGES)})
    if not fast:
        runs.append([*pytest, "--database", "postgresql", "tests/api"])
    sys.exit(max(subprocess.run(run, cwd=root, check=False).returncode for run in runs))


def _install(packages: dict[str, str]) -> None:
    """Install the Debian packages whose program is missing."""
    missing = [name for name, program in packages.items() if not list(Path("/").glob(program.lstrip("/")))]
    if not missing:
        return
    if os.geteuid() != 0:
        sys.exit(f"these Debian packages are missing: {' '.join(missing)}; install them, or run as root")
    click.echo(f"installing {' '.join(missing)}")
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], check=True, env=quiet
    )

"""`clearsky image`: build guest images from Debian's packages, and bring files into the cloud."""

from __future__ import annotations

import time
from pathlib import Path

import click

from clearsky.config import Config

NAMES = ("tiny", "debian-12", "debian-13")


@click.group("image")
def command() -> None:
    """Build images from Debian packages."""


@command.command("build")
@click.argument("name", type=click.Choice(NAMES))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the file here (default: NAME.qcow2 in the current folder).",
)
@click.pass_obj
def build(_config: Config, name: str, output: Path | None) -> None:
    """Build the image NAME as a qcow2 file; upload it with `openstack image create --file`.

    tiny answers ssh seconds after power-on and takes seconds to build; debian-12 and debian-13 are whole systems with
    cloud-init and take a minute or two.
    """
    from clearsky.image.build import debian, tiny  # noqa: PLC0415
    from clearsky.image.build.packages import BuildError  # noqa: PLC0415

    target = output or Path(f"{name}.qcow2")
    started = time.monotonic()

    def progress(stage: str) -> None:
        click.echo(f"  {time.monotonic() - started:5.1f} s  {stage}")

    try:
        if name == tiny.NAME:
            tiny.build(target, progress)
            login, memory_mib, disk_gib = tiny.LOGIN, 128, 1
        else:
            debian.build(name, target, progress)
            login, memory_mib, disk_gib = debian.LOGIN, 512, 2
    except BuildError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {target.stat().st_size / 1e6:.0f} MB. The login is `{login}`, by key. Next:")
    click.echo(
        f"  openstack image create --disk-format qcow2 --container-format bare --min-ram {memory_mib}"
        f" --min-disk {disk_gib} --property os_admin_user={login} --file {target} {name}"
    )

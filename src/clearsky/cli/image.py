"""`clearsky image`: build guest images from Debian's packages, and bring files into the cloud."""

from __future__ import annotations

from pathlib import Path

import click

from clearsky.config import Config


@click.group("image")
def command() -> None:
    """Build images from Debian packages."""


@command.command("build")
@click.argument("name", type=click.Choice(["tiny"]))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the file here (default: NAME.qcow2 in the current folder).",
)
@click.pass_obj
def build(_config: Config, name: str, output: Path | None) -> None:
    """Build the image NAME as a qcow2 file; upload it with `openstack image create --file`."""
    from clearsky.image.build import tiny  # noqa: PLC0415
    from clearsky.image.build.packages import BuildError  # noqa: PLC0415

    target = output or Path(f"{name}.qcow2")
    try:
        tiny.build(target, lambda message: click.echo(f"  {message}"))
    except BuildError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{target}: {target.stat().st_size / 1e6:.0f} MB. The login is `{tiny.LOGIN}`, by key. Next:")
    click.echo(f"  openstack image create --disk-format qcow2 --container-format bare --file {target} {name}")

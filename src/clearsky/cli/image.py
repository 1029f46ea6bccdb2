"""`clearsky image`: build guest images from Debian's packages, and bring files into the cloud."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import click

from clearsky.config import Config

NAMES = ("tiny", "debian-12", "debian-13")


@click.group("image")
def command() -> None:
    """Build images from Debian packages, and bring images into the cloud."""


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
        f"  clearsky image import --min-ram {memory_mib} --min-disk {disk_gib} --property os_admin_user={login} {target}"
    )


_VISIBILITIES = ("public", "community", "shared", "private")
_FORMATS = ("raw", "qcow2", "iso", "vmdk", "vdi", "vhd", "vhdx", "ploop")
_SUFFIX = re.compile(r"\.(img|raw|bin|qcow2?|iso|vmdk|vdi|vhdx?|vpc|hds)$", re.IGNORECASE)


def _properties(_ctx: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    pairs = {name: value for name, _, value in (one.partition("=") for one in given)}
    if bad := [one for one in given if "=" not in one or one.startswith("=")]:
        raise click.BadParameter(f"{bad[0]!r} is not NAME=VALUE")
    return pairs


@command.command("import")
@click.argument("source", metavar="FILE|URL")
@click.option("--name", help="Name of the image (default: the file's, without .qcow2, .img and the like).")
@click.option("--project", help="Name or id of the project that it shall belong to (default: admin).")
@click.option(
    "--visibility",
    type=click.Choice(_VISIBILITIES),
    help="Who sees it (default: public; with --project private).",
)
@click.option(
    "--disk-format", type=click.Choice(_FORMATS), help="Needed only where the file does not show it."
)
@click.option(
    "--property", "properties", multiple=True, callback=_properties, help="NAME=VALUE; may be repeated."
)
@click.option("--tag", "tags", multiple=True, help="May be repeated.")
@click.option(
    "--min-disk", "min_disk_gib", type=click.IntRange(0), default=0, help="GiB that a server needs."
)
@click.option("--min-ram", "min_ram_mib", type=click.IntRange(0), default=0, help="MiB that a server needs.")
@click.option("--checksum", help="Of the file, as its maker publishes it: sha256:HEX or sha512:HEX.")
@click.pass_obj
def import_(
    config: Config,
    /,
    source: str,
    checksum: str | None,
    project: str | None,
    name: str | None,
    disk_format: str | None,
    properties: dict[str, str],
    **attributes: Any,
) -> None:
    """Bring a disk image into the cloud, from a FILE of this machine or a URL.

    What it is, is read off its bytes and checked as an upload's before anything is made. A download that breaks off is
    kept, and the same command goes on with it. Where it fails, no image is left.

    \b
    clearsky image import debian-12.qcow2
    clearsky image import --checksum sha512:HEX https://cloud.debian.org/images/cloud/...qcow2
    """
    from clearsky.cli import bootstrap, fetching, importing  # noqa: PLC0415
    from clearsky.cli.which import present  # noqa: PLC0415

    # Ended from outside as by Ctrl-C: what is half done is taken back.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config = present(config)
    admin = bootstrap.present_admin(config)
    owner = {"owner": _project(admin, project)} if project else {}
    download = fetching.kept(source, config.cache / "imports") if fetching.is_url(source) else None
    path = download.part if download else Path(source)
    if download:
        with _bar("download", None) as (_, set_to):
            fetching.fetch(download, set_to)
    try:
        found = importing.look(path, source, disk_format, config.image.size_limit_gib << 30)
        if checksum:
            with _bar("checksum", path.stat().st_size) as (more, _):
                importing.verify(path, checksum, more)
    except click.ClickException:
        if download:  # what came is not what was wanted: the next time it is fetched anew
            download.forget()
        raise
    image = properties | owner | {
        "name": name or _name(source),
        "visibility": attributes["visibility"] or ("private" if project else "public"),
        "disk_format": disk_format or found.name,
        "container_format": "bare",
        "tags": list(attributes["tags"]),
        "min_disk": attributes["min_disk_gib"],
        "min_ram": attributes["min_ram_mib"],
    }  # fmt: skip
    with _bar("upload", path.stat().st_size) as (more, _):
        shown = importing.bring(config, admin, path, image, more)
    if download:
        download.forget()
    click.echo(
        f"{shown['id']}  {shown['name']}: {shown['disk_format']}, {shown['size'] / 1e6:.0f} MB,"
        f" a disk of {found.virtual_size / (1 << 30):.1f} GiB, {shown['visibility']}"
    )
    if shown["disk_format"] not in importing.BOOTABLE:
        click.echo(
            f'Servers cannot start from {shown["disk_format"]}: with [image] convert_to = "qcow2" imports are converted.'
        )


def _name(source: str) -> str:
    last = (
        unquote(urlsplit(source).path).rstrip("/").rpartition("/")[2]
        if "://" in source
        else Path(source).name
    )
    return _SUFFIX.sub("", last) or "image"


def _project(admin: Any, wanted: str) -> str:
    found, _ = admin.ask("GET", "/identity/v3/projects")
    ids = [one["id"] for one in found["projects"] if wanted in (one["id"], one["name"])]
    if len(ids) != 1:
        raise click.ClickException(
            f"--project {wanted}: {'several projects have' if ids else 'no project has'} this name"
        )
    return str(ids[0])


@contextmanager
def _bar(
    label: str, length: int | None
) -> Iterator[tuple[Callable[[int], None], Callable[[int, int | None], None]]]:
    """Show how far something is: give (what was added), or (what is there, of how much)."""
    with click.progressbar(length=length or 0, label=f"{label:9}") as bar:

        def set_to(at: int, total: int | None) -> None:
            bar.length = total or bar.length
            bar.update(at - bar.pos)

        yield bar.update, set_to

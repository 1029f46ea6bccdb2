"""`clearsky host`: the hosts of the cloud."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from clearsky.config import NAME, Config

if TYPE_CHECKING:
    from clearsky.hosts.invitation import Invitation
    from clearsky.hosts.registry import Member

HOUR_S = 3600.0


@click.group("host")
def command() -> None:
    """Let further machines into the cloud, list them, take them out.

    On the control plane, whose settings say by which address the hosts reach it ([hosts] address):

    \b
    sudo ./clearsky host add node2          prints what to type on the new machine
    sudo ./clearsky host list
    sudo ./clearsky host remove node2       at once, and whether node2 agrees or not

    On the new machine, with the same version of the program:

    \b
    sudo ./clearsky host join 192.0.2.1 --token ...
    """


def _control_plane(config: Config) -> Config:
    from clearsky.cli.which import root_only  # noqa: PLC0415
    from clearsky.hosts import registry  # noqa: PLC0415

    root_only(config)
    if config.joined:
        raise click.ClickException(f"this is a host of the control plane {config.hosts.control}: do it there")
    if not config.serves_hosts:
        raise click.ClickException(
            "this cloud has one host: set [hosts] address to the address by which others reach this machine, then `down` and `up`"
        )
    if not (config.state / "tls" / "ca.pem").exists():
        raise click.ClickException("this cloud has no certificates for hosts yet: `clearsky up` makes them")
    try:
        registry.ensure(config)
    except registry.Refused as error:
        raise click.ClickException(str(error)) from error
    return config


@command.command("add")
@click.argument("name")
@click.option("--hours", default=1.0, show_default=True, help="How long the token is good.")
@click.option("--token-only", is_flag=True, help="Print the token alone: for programs.")
@click.pass_obj
def add(config: Config, name: str, hours: float, token_only: bool) -> None:
    """Make a token by which one new machine joins as NAME, once.

    A second `add` of a name ends its first token. A host that has lost its state joins again with a new one.
    """
    from clearsky.hosts import registry  # noqa: PLC0415

    _control_plane(config)
    if not NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r}: letters, digits, '-', '_' and '.', at most 40")
    if name == config.host:
        raise click.BadParameter(f"{name!r} is this machine")
    if hours <= 0:
        raise click.BadParameter(f"--hours {hours}: more than 0")
    made = registry.invite(config, name, hours * HOUR_S).text()
    if token_only:
        click.echo(made)
        return
    port = f" --port {config.hosts.port}" if config.hosts.port != type(config.hosts)().port else ""
    click.echo(f"On the new machine, within {hours:g} h (the token is good once):\n")
    click.echo(f"  sudo ./clearsky host join {config.hosts.address}{port} --token {made}")


@command.command("join")
@click.argument("address")
@click.option("--token", required=True, help="What `clearsky host add` has printed.")
@click.option("--port", default=8801, show_default=True, help="The control plane's [hosts] port.")
@click.option(
    "--own-address",
    help="Where other hosts reach this machine; default: its address toward the control plane.",
)
@click.pass_obj
def join(config: Config, address: str, token: str, port: int, own_address: str | None) -> None:
    """Make this machine a host of the cloud whose control plane is at ADDRESS.

    It makes a key of its own that never leaves it, compares the control plane's authority with the token, installs what
    is missing, starts switch, libvirt and agent. After that, `up` and `down` work as on the control plane.
    """
    from clearsky.cli.which import root_only  # noqa: PLC0415
    from clearsky.hosts import invitation  # noqa: PLC0415

    root_only(config)
    if config.joined:
        raise click.ClickException(
            f"this machine is a host of {config.hosts.control} already; `clearsky down --purge` makes it none"
        )
    if (config.state / "clearsky.db").exists():
        raise click.ClickException(
            f"this machine is a cloud of its own ({config.state}); `clearsky down --purge` first"
        )
    try:
        invited = invitation.parse(token)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--token") from error
    _join(config, (address, port), invited, own_address)


def _join(config: Config, control: tuple[str, int], invited: Invitation, address: str | None) -> None:
    from clearsky import config as settings  # noqa: PLC0415
    from clearsky.cli import doctor, member  # noqa: PLC0415
    from clearsky.cli.progress import Progress  # noqa: PLC0415
    from clearsky.hosts import joining  # noqa: PLC0415

    progress = Progress(6)
    with progress.step("looking at this machine"):
        doctor.insist(config)
    member.install(progress)
    with progress.step(f"joining {control[0]} as {invited.name}"):
        try:
            joining.join(config, control, invited, address or joining.own_address(control))
        except joining.NotJoined as error:
            raise click.ClickException(str(error)) from error
    member.start(settings.load(config.file), progress)
    click.echo(f"\n{invited.name} is a host of the cloud at {control[0]}, after {progress.elapsed_s:.1f} s.")


@dataclass(frozen=True, slots=True)
class _Shown:
    name: str
    address: str
    state: str
    version: str


def _seen(config: Config) -> dict[str, Any]:
    from clearsky import app  # noqa: PLC0415
    from clearsky.compute import store  # noqa: PLC0415

    house = app.open_house(config)
    try:
        with house.db.read() as c:
            return {row.name: row for row in store.hosts(c)}
    finally:
        house.close()


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_obj
def list_hosts(config: Config, as_json: bool) -> None:
    """List the hosts: whether their agents report, and who is invited."""
    from clearsky.compute import scheduling  # noqa: PLC0415
    from clearsky.hosts import registry  # noqa: PLC0415

    _control_plane(config)
    seen, now = _seen(config), time.time()
    members = {config.host: config.hosts.address}
    members |= {one.name: one.address for one in registry.members(config)}
    shown = []
    for name in sorted(seen.keys() | members.keys()):
        row = seen.get(name)
        state = "never reported" if row is None else "up" if scheduling.is_up(row, now) else "down"
        if name not in members:
            state = "removed; servers are still on it" if row is not None else state
        shown.append(_Shown(name, members.get(name, ""), state, row.version if row is not None else ""))
    for name, until in registry.invited(config).items():
        if name not in members:
            shown.append(_Shown(name, "", f"invited for {(until - now) / 60:.0f} min", ""))
    if as_json:
        click.echo(
            json.dumps([{"name": one.name, "address": one.address, "state": one.state} for one in shown])
        )
        return
    for one in shown:
        click.echo(f"{one.name:24} {one.address:20} {one.version:8} {one.state}")


@command.command("remove")
@click.argument("name")
@click.pass_obj
def remove(config: Config, name: str) -> None:
    """Take a host out of the cloud, at once: agent API and OVN refuse it from now on, tunnels to it end.

    Servers on it stay known, and can be deleted. On the machine itself, if it is still yours: `clearsky down --purge`.
    """
    from clearsky import app  # noqa: PLC0415
    from clearsky.compute import store  # noqa: PLC0415
    from clearsky.hosts import registry  # noqa: PLC0415
    from clearsky.work import queue  # noqa: PLC0415

    _control_plane(config)
    if name == config.host:
        raise click.BadParameter(
            f"{name!r} is the control plane itself: `clearsky down --purge` ends the cloud"
        )
    with registry.locked(config):
        gone = registry.member(config, name)
        there = registry.remove(config, name)
    house = app.open_house(config)
    try:
        with house.db.write() as c:
            for one in registry.members(config):
                queue.bump_host(c, one.name)  # those that keep OVN's databases must know
        if not config.cloud.simulate:
            _cut(config, name, gone)
        with house.db.write() as c:
            row = store.host(c, name)
            empty = row is None or store.forget_host(c, row)
    finally:
        house.close()
    if not there and row is None:
        raise click.ClickException(f"no host is called {name!r}; `clearsky host list` names them")
    click.echo(f"{name} is no host any more.")
    if not empty:
        click.echo(f"Servers are on it still: openstack server list --all-projects --host {name}")


def _cut(config: Config, name: str, gone: Member | None) -> None:
    """Take a host's chassis away, and its part in a cluster of databases."""
    from clearsky.engines import access, databases  # noqa: PLC0415
    from clearsky.hosts import registry  # noqa: PLC0415

    try:
        if gone is not None and gone.address in config.hosts.databases:
            # First: through its own member it would make its chassis again.
            databases.dismiss(config, gone.address)
            access.connect(config, registry.databases(config))
        # Other machines' relays refuse it when their agents have heard of it; until then the same.
        for pause_s in (0.0, 1.0, 3.0, 5.0) if config.clustered else (0.0,):
            time.sleep(pause_s)
            access.cut(config, name)
    except subprocess.CalledProcessError as error:
        raise click.ClickException(
            f"{name} is refused from now on, but OVN's database does not take its chassis away"
            f" ({error.stderr.strip()}); give the command again"
        ) from error

"""`clearsky path`: where a packet goes, hop by hop, or which object drops it."""

from __future__ import annotations

import json
import sys
from itertools import groupby
from typing import Any

import click

from clearsky.config import Config
from clearsky.errors import ClearskyError
from clearsky.terminal import plain

_MARKS = {"passes": "  ", "changes": "~ ", "arrives": "> ", "leaves": "> ", "dropped": "x "}
_KINDS = {"security_group": "security group", "floating_ip": "floating IP"}


@click.command("path")
@click.argument("source")
@click.argument("destination")
@click.option("--tcp", type=click.IntRange(1, 65535), metavar="PORT", help="A TCP connection to this port.")
@click.option("--udp", type=click.IntRange(1, 65535), metavar="PORT", help="A UDP packet to this port.")
@click.option("--icmp", is_flag=True, help="A ping; what is sent where nothing is chosen.")
@click.option("--json", "as_json", is_flag=True, help="For programs: the API's answer.")
@click.pass_obj
def command(
    config: Config, source: str, destination: str, tcp: int | None, udp: int | None, icmp: bool, as_json: bool
) -> None:
    """Follow a packet from SOURCE to DESTINATION and its answer back: through ports, security groups, networks,
    routers, address translations and tunnels. Says where it goes, or which object drops it.

    SOURCE and DESTINATION are a port or server (id or name), a fixed or floating IP, or an address outside of this
    cloud. Nothing is sent: OVN is asked what it would do. The exit status is 1 where the packet or its answer is lost.

    \b
    sudo ./clearsky path web db --tcp 5432
    sudo ./clearsky path 203.0.113.9 172.24.4.20 --tcp 22     from outside to a floating IP
    sudo ./clearsky path web 8.8.8.8 --udp 53                 out to the world, and back

    Marks: ~ the packet is changed there, > it is where it should be, x it is dropped there.

    Tenants ask the Network API: GET /v2.0/clearsky/path?source=web&destination=db&protocol=tcp&port=5432
    (docs/guide/seeing-the-network.md).
    """
    from clearsky import app  # noqa: PLC0415
    from clearsky.cli.which import present  # noqa: PLC0415
    from clearsky.compute import service as _compute  # noqa: F401, PLC0415 - tells the network of servers
    from clearsky.network.path import asking  # noqa: PLC0415

    if (tcp is not None) + (udp is not None) + icmp > 1:
        raise click.UsageError("one of --tcp, --udp and --icmp")
    protocol = "tcp" if tcp is not None else "udp" if udp is not None else "icmp"
    house = app.open_house(present(config))
    try:
        found = asking.ask(house, None, asking.Question(source, destination, protocol, tcp or udp or 0))
    except ClearskyError as error:
        raise click.ClickException(error.message) from error
    finally:
        house.close()
    click.echo(json.dumps({"path": found}) if as_json else told(found))
    sys.exit(0 if found["arrives"] and found["answered"] is not False else 1)


def told(found: dict[str, Any]) -> str:
    """Return a path as text."""
    packet = found["packet"]
    port = f" port {packet['port']}" if packet["port"] else ""
    head = f"{packet['protocol']} {packet['source']} -> {packet['destination']}{port}: {_verdict(found)}"
    width = max(len(_object(hop)) for hop in found["hops"])
    lines = [head]
    for direction, hops in groupby(found["hops"], key=lambda hop: hop["direction"]):
        lines.append("there" if direction == "there" else "and back")
        host = None
        for hop in hops:
            where = f"  [{hop['host']}]" if hop["host"] and hop["host"] != host else ""
            host = hop["host"] or host
            lines.append(f"  {_MARKS[hop['outcome']]}{_object(hop):{width}}  {hop['what']}{where}")
            lines += [f"    {'':{width}}  also: {_object(one)}" for one in _more(hop)]
    return "\n".join(lines)


def _more(hop: dict[str, Any]) -> list[dict[str, Any]]:
    return hop["also"] if hop["outcome"] == "dropped" else []


def _verdict(found: dict[str, Any]) -> str:
    by = found["dropped_by"]
    stopper = _object(by) if by else ""
    if not found["arrives"]:
        return f"dropped by {stopper}"
    last = [hop for hop in found["hops"] if hop["direction"] == "there"][-1]
    there = "leaves this cloud" if last["outcome"] == "leaves" else "arrives"
    if found["answered"] is None:
        return f"{there}; nobody there would answer"
    return (
        f"{there}, and so does the answer"
        if found["answered"]
        else f"{there}, but the answer is dropped by {stopper}"
    )


def _object(thing: dict[str, Any]) -> str:
    """Return what an object is called: its kind and name, and its id where that tells more."""
    kind = _KINDS.get(thing["kind"], thing["kind"])
    if thing["id"] is None:
        return f"{kind} (not yours)"
    name, id = thing["name"], thing["id"]
    server = f" of server {plain(thing['server']['name'])}" if thing.get("server") else ""
    return f"{kind} {plain(name)} {id}{server}" if name and name != id else f"{kind} {id}{server}"

"""What the engines of this host hold of a server or a port, asked of them directly: for `clearsky trace`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from typing import Any

import libvirt

from clearsky.config import Config
from clearsky.engines import access

STATES = ("none", "running", "blocked", "paused", "shutting down", "off", "crashed", "suspended")
Facts = list[tuple[str, dict[str, Any]]]


def of_server(config: Config, id: str) -> Facts:
    """Return libvirt's domain; nothing where libvirt cannot be asked from here."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    try:
        connection = libvirt.open(config.libvirt_uri)
    except libvirt.libvirtError:
        return []
    try:
        domain = connection.lookupByUUIDString(id)
        facts: dict[str, Any] = {"state": STATES[domain.state()[0]], "libvirt id": domain.ID()}
    except libvirt.libvirtError as error:
        facts = {"state": error.get_error_message()}
    finally:
        connection.close()
    return [(f"server {id}: libvirt's domain", facts)]


def of_ports(config: Config, ids: Iterable[str]) -> Facts:
    """Return the switch's interface and OVN's binding of each port."""
    found: Facts = []
    southbound = ("ovn-sbctl", f"--db={config.southbound}", *access.databases_options(config))
    for id in ids:
        interface = _rows(
            ("ovs-vsctl", f"--db={config.open_vswitch}", "--timeout=5"),
            ("name", "ofport", "error"), "interface", f"external_ids:iface-id={id}",
        )  # fmt: skip
        binding = _rows(
            southbound,
            ("chassis", "up", "tunnel_key"), "port_binding", f"logical_port={id}",
        )  # fmt: skip
        chassis = _rows(southbound, ("_uuid", "name"), "chassis")
        if interface is None or binding is None or chassis is None:
            return []
        names = {_plain(row["_uuid"]): row["name"] for row in chassis}
        facts: dict[str, Any] = {}
        for row in interface:
            facts |= {"device": row["name"], "switch port": _plain(row["ofport"])}
            if _plain(row["error"]):
                facts["switch says"] = _plain(row["error"])
        for row in binding:
            facts |= {
                "chassis": names.get(_plain(row["chassis"]), "none"),
                "bound": "up" if _plain(row["up"]) is True else "down",
                "tunnel key": row["tunnel_key"],
            }
        found.append((f"port {id}: Open vSwitch and OVN", facts or {"": "know nothing of it"}))
    return found


def _rows(
    program: tuple[str, ...], columns: tuple[str, ...], table: str, *condition: str
) -> list[dict[str, Any]] | None:
    """Return rows of a database; None where it cannot be asked."""
    verb = "find" if condition else "list"
    try:
        done = subprocess.run(
            [
                *program,
                "--format=json",
                f"--columns={','.join(columns)}",
                verb,
                table,
                *condition,
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    answer = json.loads(done.stdout)
    return [dict(zip(answer["headings"], row, strict=True)) for row in answer["data"]]


def _plain(value: Any) -> Any:
    """Unwrap OVSDB's notation of sets and references."""
    if isinstance(value, list) and value[0] == "set":
        return _plain(value[1][0]) if value[1] else None
    return value[1] if isinstance(value, list) else value

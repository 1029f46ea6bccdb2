"""A private copy of OVN's databases for one question: consistent, and free to be told what a live one must not be.

ovn-trace stops where a router would ask the network for a neighbour's MAC that nobody has learnt yet. In the copy the
answer can be written down, and the trace goes on. It also keeps a question's traces, which read the whole southbound
database each, away from the database that the hosts live by.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import orjson

from clearsky.errors import Unavailable
from clearsky.network.ovn.rows import KEY
from clearsky.network.ovn.trace.words import Event, parse

TIMEOUT_S = 20
READY_S = 10.0
PREFIX = "trace-"
LIFE_S = 900
"""So long a copy lasts at the most."""
HINTED = (
    "ACL",
    "NAT",
    "Logical_Router_Static_Route",
    "Load_Balancer",
    "Logical_Switch_Port",
    "Logical_Router_Port",
)
"""Northbound tables whose rows flows are made of."""


class Copy:
    """The databases as they were when it was made; a context manager that leaves nothing behind."""

    def __init__(self, northbound: str, southbound: str, folder: Path, options: tuple[str, ...] = ()) -> None:
        self._remotes, self._folder, self._options = (northbound, southbound), folder, options
        self._open = ExitStack()

    def __enter__(self) -> Self:
        self._sweep()
        with ExitStack() as stack:
            here = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=self._folder)))
            north = _rows(self._backup(self._remotes[0], "OVN_Northbound"))
            backup = self._backup(self._remotes[1], "OVN_Southbound")
            south = _rows(backup)
            (here / "sb").write_bytes(backup)
            self._socket = f"unix:{here / 'sock'}"
            self._serve(stack, here)
            # ovn-trace 23.03 takes a range in port security for its first address alone, unlike ovn-controller:
            # whoever asks looks at port security himself, see may_speak_as.
            self._write(
                {"op": "update", "table": "Port_Binding", "where": [], "row": {"port_security": ["set", []]}}
            )
            self._open = stack.pop_all()
        self._index(north, south)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _sweep(self) -> None:
        """Remove what was left by processes that were killed."""
        for old in self._folder.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > LIFE_S:
                    shutil.rmtree(old, ignore_errors=True)

    def _backup(self, remote: str, database: str) -> bytes:
        words = ["ovsdb-client", "--timeout=10", *self._options, "backup", remote, database]
        return _run(words, f"OVN's database {database} at {remote} cannot be read")

    def _serve(self, stack: ExitStack, here: Path) -> None:
        # `timeout` ends it where this process cannot any more.
        words = ["timeout", str(LIFE_S), "ovsdb-server", f"--remote=p{self._socket}", f"--unixctl={here / 'ctl'}", "--no-chdir", str(here / "sb")]  # fmt: skip
        server = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        stack.callback(server.wait)
        stack.callback(server.terminate)
        end = time.monotonic() + READY_S
        while not (here / "sock").exists():
            if server.poll() is not None or time.monotonic() > end:
                raise Unavailable("The copy of OVN's southbound database cannot be served.")
            time.sleep(0.005)

    def _index(self, north: dict[str, Any], south: dict[str, Any]) -> None:
        self._made_of: dict[str, str] = {}
        for table in HINTED:
            for id, row in north.get(table, {}).items():
                self._made_of[id[:8]] = _map(row.get("external_ids")).get(KEY, "")
        self._hints = {}
        for id, row in south.get("Logical_Flow", {}).items():
            self._hints[id[:8]] = _map(row.get("external_ids")).get("stage-hint", "")
        self._datapaths: dict[str, str] = {}
        for row in south.get("Datapath_Binding", {}).values():
            about = _map(row["external_ids"])
            self._datapaths[about.get("logical-switch") or about.get("logical-router", "")] = about["name"]
        chassis = {
            id: row.get("hostname") or row.get("name", "") for id, row in south.get("Chassis", {}).items()
        }
        self._ports: dict[str, dict[str, Any]] = {
            row["logical_port"]: row for row in south.get("Port_Binding", {}).values()
        }
        self._hosts = {
            name: next((chassis.get(one, "") for one in _several(row.get("chassis"))), "")
            for name, row in self._ports.items()
        }

    # -- what is known ------------------------------------------------------------------------------------------

    def made_of(self, flow: str) -> str:
        """Return the key of the northbound row that a flow comes from; empty where it comes from none of ours."""
        return self._made_of.get(self._hints.get(flow, ""), "")

    def host_of(self, port: str) -> str:
        """Return the host where a logical port is plugged; empty where it is nowhere."""
        return self._hosts.get(port, "")

    def may_speak_as(self, port: str) -> list[str]:
        row = self._ports.get(port, {})
        return [str(one) for one in _several(row.get("port_security"))]

    # -- questions ----------------------------------------------------------------------------------------------

    def learn(self, router_port: str, address: str, mac: str) -> None:
        """Let a router know the MAC of a neighbour."""
        datapath = _several(self._ports[router_port]["datapath"])[0]
        row = {"logical_port": router_port, "ip": address, "mac": mac, "datapath": ["uuid", datapath]}
        self._write({"op": "insert", "table": "MAC_Binding", "row": row | {"timestamp": 0}})

    def _write(self, change: dict[str, Any]) -> None:
        words = [
            "ovsdb-client",
            "--timeout=10",
            "transact",
            self._socket,
            json.dumps(["OVN_Southbound", change]),
        ]
        problem = "The copy of OVN's southbound database cannot be changed"
        answer = orjson.loads(_run(words, problem))
        if wrong := [one["error"] for one in answer if one and "error" in one]:
            raise Unavailable(f"{problem}: {wrong}")

    def trace(self, datapath: str, microflow: str, states: tuple[str, ...]) -> list[Event]:
        """Follow a packet; each question to a memory of connections is answered by the next of `states`."""
        remembered = [word for state in states for word in ("--ct", state)]
        words = ["ovn-trace", "--no-friendly-names", f"--db={self._socket}", *remembered, datapath, microflow]
        told = _run(words, "ovn-trace cannot follow the packet").decode(errors="replace")
        return parse(told, self._datapaths)


def _run(words: list[str], problem: str) -> bytes:
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{problem}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{problem}: {done.stderr.decode(errors='replace').strip():.300}")
    return done.stdout


def _rows(backup: bytes) -> dict[str, Any]:
    """Return the tables of a database file that holds the schema and one record with everything."""
    tables: dict[str, Any] = {}
    for line in backup.split(b"\n")[3::2]:
        if line:
            tables |= orjson.loads(line)
    return tables


def _map(value: Any) -> dict[str, str]:
    return dict(value[1]) if isinstance(value, list) and value[0] == "map" else {}


def _several(value: Any) -> list[Any]:
    """Return the members of a set column; OVSDB writes a set of one as its member."""
    if value is None:
        return []
    if isinstance(value, list) and value and value[0] == "set":
        return [one for item in value[1] for one in _several(item)]
    if isinstance(value, list) and value and value[0] == "uuid":
        return [str(uuid.UUID(value[1]))]
    return [value]

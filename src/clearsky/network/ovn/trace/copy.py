"""A private copy of OVN's databases for one question: consistent, and free to be told what a live one must not be.

ovn-trace stops where a router would ask the network for a neighbour's MAC that nobody has learnt yet. In the copy the
answer can be written down, and the trace goes on. It also reads a whole database before it traces anything: the copy
that it is given holds the flows of those switches and routers only that the packet comes to, and of their neighbours.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections import defaultdict
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
HINTED = ("ACL", "NAT", "Logical_Router_Static_Route", "Load_Balancer", "Logical_Router_Policy")
"""Northbound tables whose rows flows are made of."""
Tables = dict[str, dict[str, dict[str, Any]]]


class Copy:
    """The databases as they were when it was made; a context manager that leaves nothing behind."""

    def __init__(self, northbound: str, southbound: str, folder: Path, options: tuple[str, ...] = ()) -> None:
        self._remotes, self._parent, self._options = (northbound, southbound), folder, options
        self._open = ExitStack()
        self._server = ExitStack()
        self._held: set[str] = set()
        """Switches and routers whose flows are in the copy."""
        self._asked_for: set[str] = set()
        self._stale = True

    def __enter__(self) -> Self:
        self._sweep()
        with ExitStack() as stack:
            self._folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX, dir=self._parent))
            )
            stack.callback(self._server.close)
            _, north = _parts(self._backup(self._remotes[0], "OVN_Northbound"))
            self._schema, self._south = _parts(self._backup(self._remotes[1], "OVN_Southbound"))
            self._open = stack.pop_all()
        self._index_rows(north)
        self._index_flows()
        self._index_ports()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _sweep(self) -> None:
        """Remove what was left by processes that were killed."""
        for old in self._parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError):
                if time.time() - old.stat().st_mtime > LIFE_S:
                    shutil.rmtree(old, ignore_errors=True)

    def _backup(self, remote: str, database: str) -> bytes:
        words = ["ovsdb-client", "--timeout=10", *self._options, "backup", remote, database]
        return _run(words, f"OVN's database {database} at {remote} cannot be read")

    # -- indexes ------------------------------------------------------------------------------------------------

    def _index_rows(self, north: Tables) -> None:
        self._made_of = {
            id[:8]: _map(row.get("external_ids")).get(KEY, "") for table in HINTED for id, row in north.get(table, {}).items()
        }  # fmt: skip

    def _index_flows(self) -> None:
        """Sort flows by the datapaths that they are in: one, or those of a group."""
        groups = {
            id: _several(row.get("datapaths")) for id, row in self._south.get("Logical_DP_Group", {}).items()
        }
        self._hints: dict[str, str] = {}
        self._flows: dict[str, dict[str, Any]] = self._south.pop("Logical_Flow", {})
        self._flows_of: dict[str, list[str]] = defaultdict(list)
        for id, row in self._flows.items():
            self._hints[id[:8]] = _map(row.get("external_ids")).get("stage-hint", "")
            several = [
                one for group in _several(row.get("logical_dp_group")) for one in groups.get(group, ())
            ]
            for datapath in [*_several(row.get("logical_datapath")), *several]:
                self._flows_of[datapath].append(id)

    def _index_ports(self) -> None:
        """Index ports, and let none have port security.

        ovn-trace 23.03 takes a range in port security for its first address alone, unlike ovn-controller: whoever
        asks looks at port security himself, see may_speak_as.
        """
        self._names: dict[str, str] = {}
        self._datapaths: dict[str, str] = {}
        for id, row in self._south.get("Datapath_Binding", {}).items():
            about = _map(row["external_ids"])
            self._names[about.get("logical-switch") or about.get("logical-router", "")] = about["name"]
            self._datapaths[about["name"]] = id
        chassis = {id: row.get("hostname") or row.get("name", "") for id, row in self._south.get("Chassis", {}).items()}  # fmt: skip
        self._ports: dict[str, dict[str, Any]] = {}
        self._hosts: dict[str, str] = {}
        self._security: dict[str, list[str]] = {}
        self._provider: set[str] = set()
        for row in self._south.get("Port_Binding", {}).values():
            name = row["logical_port"]
            self._ports[name] = row
            self._hosts[name] = next((chassis.get(one, "") for one in _several(row.get("chassis"))), "")
            here = _several(row["datapath"])[0]
            if row.get("type") == "localnet":
                self._provider.add(here)
            self._security[name] = [str(one) for one in _several(row.pop("port_security", None))]

        self._beside: dict[str, set[str]] = defaultdict(set)
        for row in self._ports.values():
            other = self._ports.get(_map(row.get("options")).get("peer", ""))
            if other is not None:
                self._beside[_several(row["datapath"])[0]] |= set(_several(other["datapath"]))

    # -- what is known ------------------------------------------------------------------------------------------

    def made_of(self, flow: str) -> str:
        return self._made_of.get(self._hints.get(flow, ""), "")

    def host_of(self, port: str) -> str:
        return self._hosts.get(port, "")

    def may_speak_as(self, port: str) -> list[str]:
        return self._security.get(port, [])

    def learn(self, router_port: str, address: str, mac: str) -> None:
        datapath = self._ports[router_port]["datapath"]
        row = {"logical_port": router_port, "ip": address, "mac": mac, "datapath": datapath}
        self._south.setdefault("MAC_Binding", {})[str(uuid.uuid4())] = row
        self._stale = True

    # -- traces -------------------------------------------------------------------------------------------------

    def trace(self, datapath: str, microflow: str, states: tuple[str, ...]) -> list[Event]:
        if datapath not in self._datapaths:
            raise Unavailable("The network has not been written to OVN's southbound database yet: ask again.")
        self._hold(self._datapaths[datapath])
        if self._stale:
            self._serve()
        remembered = [word for state in states for word in ("--ct", state)]
        words = ["ovn-trace", "--no-friendly-names", f"--db={self._socket}", *remembered, datapath, microflow]
        told = _run(words, "ovn-trace cannot follow the packet").decode(errors="replace")
        return parse(told, self._names)

    def _hold(self, datapath: str) -> None:
        """Take a datapath's flows into the copy, and those of its neighbours, but for a provider network's."""
        if datapath in self._asked_for:
            return
        self._asked_for.add(datapath)
        wanted = {datapath} | (set() if datapath in self._provider else self._beside[datapath])
        self._stale = self._stale or not wanted <= self._held
        self._held |= wanted

    def _serve(self) -> None:
        """Write the copy down, and let a server of its own answer for it."""
        self._server.close()
        flows = {id: self._flows[id] for datapath in self._held for id in self._flows_of[datapath]}
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        data = orjson.dumps(self._south | {"Logical_Flow": flows}) + b"\n"
        head = f"OVSDB JSON {len(data)} {hashlib.sha1(data, usedforsecurity=False).hexdigest()}\n"
        (folder / "sb").write_bytes(self._schema + head.encode() + data)
        path = folder / "sock"
        # `timeout` ends it where this process cannot any more.
        words = ["timeout", str(LIFE_S), "ovsdb-server", f"--remote=punix:{path}", f"--unixctl={folder / 'ctl'}", "--no-chdir", str(folder / "sb")]  # fmt: skip
        server = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._server.callback(server.wait)
        self._server.callback(server.terminate)
        end = time.monotonic() + READY_S
        while not _accepts(path):
            if server.poll() is not None or time.monotonic() > end:
                raise Unavailable("The copy of OVN's southbound database cannot be served.")
            time.sleep(0.003)
        self._socket, self._stale = f"unix:{path}", False


def _accepts(path: Path) -> bool:
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as probe:
        return probe.connect_ex(str(path)) == 0


def _run(words: list[str], problem: str) -> bytes:
    try:
        done = subprocess.run(words, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{problem}: {error}") from error
    if done.returncode:
        raise Unavailable(f"{problem}: {done.stderr.decode(errors='replace').strip():.300}")
    return done.stdout


def _parts(backup: bytes) -> tuple[bytes, Tables]:
    """Return a database file's schema, as it stands there, and the tables of its one record."""
    head, schema, *records = backup.split(b"\n")
    tables: Tables = {}
    for line in records[1::2]:
        tables |= {name: rows for name, rows in orjson.loads(line).items() if isinstance(rows, dict)}
    return head + b"\n" + schema + b"\n", tables


def _map(value: Any) -> dict[str, str]:
    return dict(value[1]) if isinstance(value, list) and value[0] == "map" else {}


def _several(value: Any) -> list[Any]:
    """Return the members of a set column; OVSDB writes a set of one as its member."""
    if value is None:
        return []
    if isinstance(value, list) and value and value[0] == "set":
        return [one for item in value[1] for one in _several(item)]
    if isinstance(value, list) and value and value[0] == "uuid":
        return [value[1]]
    return [value]

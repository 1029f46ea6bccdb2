"""OVN's databases as a cluster (RAFT) over TLS: any minority of its machines may be gone."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from clearsky.config import Config, bracketed
from clearsky.engines.definitions import SCHEMAS

NAMES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}
ELECTION_MS = 3000
"""So long a member waits for its leader before it asks for an election: a busy machine is not a dead one."""


def ensure(config: Config) -> None:
    """Make this machine's part of each database; one that stood alone goes on as the first member of a cluster."""
    for short, name in NAMES.items():
        file = config.state / "ovn" / f"{short}.db"
        if file.exists() and _tool("db-is-clustered", str(file), check=False) == 0:
            continue
        if config.joined:
            others = [one for one in config.hosts.databases if one != config.hosts.address]
            known = sorted(others, key=lambda one: one != config.hosts.control)
            members = [_member(config, short, one) for one in (config.hosts.address, *known)]
            _tool("join-cluster", str(file), name, *members)
            continue
        source = file if file.exists() else SCHEMAS / f"ovn-{short}.ovsschema"
        unfinished = file.with_suffix(".new")
        unfinished.unlink(missing_ok=True)
        own = _member(config, short, config.hosts.address)
        _tool(f"--election-timer={ELECTION_MS}", "create-cluster", str(unfinished), str(source), own)
        unfinished.rename(file)


def dismiss(config: Config, address: str) -> None:
    """Take a machine out of the cluster that does not come back. It may be gone already."""
    for short, name in NAMES.items():
        control = config.run / "ovn" / f"{short}.ctl"
        for id in members(control, name).get(address, ()):
            _appctl(control, "cluster/kick", name, id)


def members(control: Path, name: str) -> dict[str, list[str]]:
    """Return the members of a database's cluster, as one of them says: address -> its server ids."""
    found: dict[str, list[str]] = {}
    for id, address in re.findall(r"^ +([0-9a-f]{4}) \(.* at ssl:\[?([^\s\]]+?)\]?:\d+\)", _appctl(control, "cluster/status", name), re.MULTILINE):  # fmt: skip
        found.setdefault(address, []).append(id)
    return found


def _member(config: Config, short: str, address: str) -> str:
    hosts = config.hosts
    port = hosts.northbound_cluster_port if short == "nb" else hosts.southbound_cluster_port
    return f"ssl:{bracketed(address)}:{port}"


def _tool(*words: str, check: bool = True) -> int:
    return subprocess.run(["ovsdb-tool", *words], check=check, capture_output=True).returncode


def _appctl(control: Path, *words: str) -> str:
    done = subprocess.run(
        ["ovs-appctl", "-t", str(control), "--timeout=10", *words],
        check=False,
        capture_output=True,
        text=True,
    )
    return done.stdout

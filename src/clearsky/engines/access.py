"""Other hosts' way to OVN's southbound database: mutual TLS, and rights for what is a chassis's own."""

from __future__ import annotations

import contextlib
import subprocess

from clearsky.config import Config, bracketed

ROLE = "ovn-controller"
"""Of OVN's own: a chassis may change its own rows, and say which ports are on it."""
PROBE_MS = 10_000


def ensure(config: Config) -> None:
    """Let the southbound database listen for other hosts; again is harmless."""
    hosts = config.hosts
    target = f"pssl:{hosts.southbound_port}:{bracketed(hosts.address)}"
    if target in sbctl(config, "--bare", "--columns=target", "list", "connection").split():
        return
    columns = (f'target="{target}"', f"role={ROLE}", f"inactivity_probe={PROBE_MS}")
    sbctl(
        config, "--", "--id=@hosts", "create", "connection", *columns, "--", "set", "SB_Global", ".", "connections=@hosts"
    )  # fmt: skip


def cut(config: Config, name: str) -> None:
    """Take a host's chassis away, and its connection: the database does not take it back if it is no host any more."""
    control = config.run / "ovn" / "sb.ctl"
    for command in ("ovsdb-server/list-remotes", "ovsdb-server/reconnect"):
        # The first makes the server read anew whom it trusts, before the second cuts.
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run(
                ["ovs-appctl", "-t", str(control), command], check=True, capture_output=True, timeout=20
            )
    sbctl(
        config,
        "--", "--if-exists", "chassis-del", name,
        "--", "--if-exists", "destroy", "Chassis_Private", name,
    )  # fmt: skip


def sbctl(config: Config, *words: str) -> str:
    """Run ovn-sbctl against this machine's southbound database."""
    done = subprocess.run(
        ["ovn-sbctl", f"--db={config.southbound}", "--timeout=20", *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout

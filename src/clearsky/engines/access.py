"""Other hosts' way to OVN's southbound database: mutual TLS, and rights for what is a chassis's own."""

from __future__ import annotations

import contextlib
import subprocess

import structlog

from clearsky.config import Config, bracketed
from clearsky.engines.definitions import databases_tls

log = structlog.get_logger("access")

ROLE = "ovn-controller"
"""Of OVN's own: a chassis may change its own rows, and say which ports are on it."""
PROBE_MS = 10_000


def ensure(config: Config) -> None:
    """Let the southbound database listen for other hosts; again is harmless."""
    hosts = config.hosts
    # What a cluster holds is the same on all its machines: each listens at all of its addresses.
    everywhere = "[::]" if ":" in hosts.address else "0.0.0.0"  # noqa: S104 - to those with certificates
    target = f"pssl:{hosts.southbound_port}:{everywhere if config.clustered else bracketed(hosts.address)}"
    try:
        if sbctl(config, "--bare", "--columns=target", "list", "connection").split() == [target]:
            return
    except subprocess.CalledProcessError as error:
        log.error("OVN's southbound database does not say where it listens", error=error.stderr)  # noqa: TRY400
        return
    columns = (f'target="{target}"', f"role={ROLE}", f"inactivity_probe={PROBE_MS}")
    sbctl(
        config, "--", "--id=@hosts", "create", "connection", *columns, "--", "set", "SB_Global", ".", "connections=@hosts"
    )  # fmt: skip


def cut(config: Config, name: str) -> None:
    """Take a host's chassis away, and its connection: the database does not take it back if it is no host any more."""
    look_again(config)
    sbctl(
        config,
        "--", "--if-exists", "chassis-del", name,
        "--", "--if-exists", "destroy", "Chassis_Private", name,
    )  # fmt: skip


def look_again(config: Config) -> None:
    """Let OVN's databases on this machine look again at who may be connected."""
    for name in ("relay", "sb", "nb") if config.clustered else ("sb",):
        for command in ("ovsdb-server/list-remotes", "ovsdb-server/reconnect"):
            # The first makes the server read anew whom it trusts, before the second cuts.
            with contextlib.suppress(subprocess.SubprocessError):
                words = ["ovs-appctl", "-t", str(config.run / "ovn" / f"{name}.ctl"), "--timeout=10", command]
                subprocess.run(words, check=True, capture_output=True)


def connect(config: Config, machines: tuple[str, ...]) -> None:
    """Let this host's controller ask the databases on these machines."""
    remote = f'external-ids:ovn-remote="{config.chassis_southbound(machines)}"'
    words = [
        "ovs-vsctl",
        f"--db={config.open_vswitch}",
        "--timeout=20",
        "--no-wait",
        "set",
        "open_vswitch",
        ".",
        remote,
    ]
    subprocess.run(words, check=True, capture_output=True)


def databases_options(config: Config) -> tuple[str, ...]:
    """Return what a program of root's must be told to ask OVN's databases once."""
    # It asks the member on this machine, which passes on what its leader must decide.
    return ("--no-leader-only", "--timeout=20", *(databases_tls(config) if config.clustered else ()))


def sbctl(config: Config, *words: str) -> str:
    """Run ovn-sbctl against this machine's southbound database."""
    done = subprocess.run(
        ["ovn-sbctl", f"--db={config.southbound}", *databases_options(config), *words],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout

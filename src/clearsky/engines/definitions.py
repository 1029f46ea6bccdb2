"""Every process of a cloud on this host: what it runs, after what, and how one sees that it is ready."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from clearsky.config import FILE_VARIABLE, Config

SCHEMAS = Path("/usr/share/ovn")
OVS_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")


@dataclass(frozen=True, slots=True)
class Process:
    name: str
    argv: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ready: Path | None = None
    """A socket that is there and accepts when the process is ready."""
    user: str = ""
    """Account; empty: root."""


def ovs_environment(config: Config) -> dict[str, str]:
    run = str(config.run / "ovs")
    return {
        "OVS_RUNDIR": run,
        "OVS_LOGDIR": run,
        "OVS_DBDIR": str(config.state / "ovs"),
        "OVN_RUNDIR": str(config.run / "ovn"),
    }


def engines(config: Config, *, hide_kvm: bool) -> list[Process]:
    """Return the engines in the order of their start."""
    ovn, ovs, lib = config.run / "ovn", config.run / "ovs", config.run / "libvirt"
    environment = ovs_environment(config)
    return [
        _database("ovn-nb", config.state / "ovn" / "nb.db", ovn / "nb.sock", ovn / "nb.ctl", environment),
        _database("ovn-sb", config.state / "ovn" / "sb.db", ovn / "sb.sock", ovn / "sb.ctl", environment),
        Process(
            "ovn-northd",
            (
                "ovn-northd",
                f"--ovnnb-db={config.northbound}",
                f"--ovnsb-db={config.southbound}",
                f"--unixctl={ovn / 'northd.ctl'}",
            ),
            environment,
            ovn / "northd.ctl",
        ),
        _database("ovs-db", config.state / "ovs" / "conf.db", ovs / "db.sock", ovs / "db.ctl", environment),
        Process(
            "ovs-vswitchd",
            ("ovs-vswitchd", config.open_vswitch, f"--unixctl={ovs / 'vswitchd.ctl'}"),
            environment,
            ovs / "vswitchd.ctl",
        ),
        Process("ovn-controller", ("ovn-controller", config.open_vswitch), environment),
        Process(
            "virtlogd",
            ("virtlogd", "-f", str(lib / "virtlogd.conf"), "-p", str(lib / "virtlogd.pid")),
            {},
            None,
        ),
        Process(
            "libvirtd",
            (
                *(hidden_kvm() if hide_kvm else ()),
                "libvirtd",
                "-f",
                str(lib / "libvirtd.conf"),
                "-p",
                str(lib / "libvirtd.pid"),
            ),
            {},
            lib / "libvirt-sock",
        ),
    ]


def hidden_kvm() -> tuple[str, ...]:
    """Return the prefix that runs a program where /dev/kvm is not to be seen."""
    return (
        "unshare",
        "--mount",
        "--propagation",
        "private",
        sys.executable,
        "-m",
        "clearsky.engines.without_kvm",
    )


def _database(name: str, file: Path, socket: Path, control: Path, environment: dict[str, str]) -> Process:
    argv = (
        "ovsdb-server",
        str(file),
        f"--remote=punix:{socket}",
        f"--unixctl={control}",
        f"--pidfile={socket.with_suffix('.pid')}",
    )
    return Process(name, argv, environment, socket)


def own(config: Config) -> list[Process]:
    """Return Clearsky's own processes."""
    environment = {FILE_VARIABLE: str(config.file)} if config.file else {}
    python = (sys.executable, "-m")
    return [
        Process("api", (*python, "clearsky.api"), environment, config.agent_api_socket, config.cloud.user),
        Process("worker", (*python, "clearsky.work"), environment, None, config.cloud.user),
        Process("agent", (*python, "clearsky.agent"), environment | ovs_environment(config)),
    ]

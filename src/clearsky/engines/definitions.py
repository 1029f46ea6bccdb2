"""Every process of a cloud on this host: what it runs, after what, and how one sees that it is ready."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from clearsky.config import FILE_VARIABLE, Config

SCHEMAS = Path("/usr/share/ovn")
HOME = Path(__file__).parents[3]
"""Where the program's files are: the checkout."""
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
    socket_for: str = ""
    """Account that the socket is given to; empty: it stays the process's own."""


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
    room = _libvirt_room(config, hide_kvm=hide_kvm)
    return [
        _database(
            "ovn-nb",
            config.state / "ovn" / "nb.db",
            ovn / "nb.sock",
            ovn / "nb.ctl",
            environment,
            socket_for=config.cloud.user,
        ),
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
            (*room, "virtlogd", "-f", str(lib / "virtlogd.conf"), "-p", str(lib / "virtlogd.pid")),
            {},
            lib / "system" / "virtlogd-sock",
        ),
        Process(
            "libvirtd",
            (*room, "libvirtd", "-f", str(lib / "libvirtd.conf"), "-p", str(lib / "libvirtd.pid")),
            {},
            lib / "libvirt-sock",
        ),
    ]


def libvirt_folders(config: Config) -> dict[Path, Path]:
    """Return what stands in for libvirt's fixed folders: folder of this cloud -> where libvirt sees it."""
    state = config.state / "libvirt"
    return {
        state / "etc": Path("/etc/libvirt"),
        state / "lib": Path("/var/lib/libvirt"),
        state / "cache": Path("/var/cache/libvirt"),
        state / "log": Path("/var/log/libvirt"),
        config.run / "libvirt" / "system": Path("/run/libvirt"),
    }


def _libvirt_room(config: Config, *, hide_kvm: bool) -> tuple[str, ...]:
    words = [sys.executable, "-m", "clearsky.engines.room"]
    for source, target in libvirt_folders(config).items():
        words += ["--bind", str(source), str(target)]
    if hide_kvm:
        words += ["--hide-kvm", str(config.run / "libvirt" / "no-kvm")]
    return tuple(words)


def _database(
    name: str, file: Path, socket: Path, control: Path, environment: dict[str, str], socket_for: str = ""
) -> Process:
    argv = (
        "ovsdb-server",
        str(file),
        f"--remote=punix:{socket}",
        f"--unixctl={control}",
        f"--pidfile={socket.with_suffix('.pid')}",
    )
    return Process(name, argv, environment, socket, socket_for=socket_for)


def own(config: Config, program: Path) -> list[Process]:
    """Return Clearsky's own processes, run from the folder `program`."""
    environment = {"PYTHONPATH": str(program / "src")}
    if config.file:
        environment[FILE_VARIABLE] = str(config.file)
    interpreter = Path(sys.executable)
    if interpreter.is_relative_to(HOME):
        interpreter = program / interpreter.relative_to(HOME)
    python = (str(interpreter), "-m")
    return [
        Process("api", (*python, "clearsky.api"), environment, config.agent_api_socket, config.cloud.user),
        Process("worker", (*python, "clearsky.work"), environment, None, config.cloud.user),
        Process("agent", (*python, "clearsky.agent"), environment | ovs_environment(config)),
    ]

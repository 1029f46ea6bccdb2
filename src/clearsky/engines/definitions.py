"""Every process of a cloud on this host: what it runs, after what, and how one sees that it is ready."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from clearsky.config import FILE_VARIABLE, Config, bracketed
from clearsky.engines import build, namespace, virtualization

PRIVILEGED_PORTS = 1024
"""Below it, only who has the capability can listen."""
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
    """Account whose group may use the socket; empty: it stays the process's own."""
    then: str = ""
    """What is done as root once it is ready: a step of engines/steps.py."""
    after: tuple[str, ...] = ()
    """Processes that must be ready before it starts."""
    gentle_end: tuple[str, ...] = ()
    """Command that ends it, the network meanwhile going on; {pid} is its own. Empty: SIGTERM does."""
    leaves_children: bool = False
    """What it has started outlives it: guests."""
    capabilities: tuple[str, ...] = ()
    """What an account without rights may do nevertheless, in the kernel's words without CAP_."""
    confined: bool = False
    """It needs its files and sockets, and nothing else of the machine."""
    title: str = ""
    """What an operator reads about it."""


def ovs_environment(config: Config) -> dict[str, str]:
    run = str(config.run / "ovs")
    return {
        "OVS_RUNDIR": run,
        "OVS_LOGDIR": run,
        "OVS_DBDIR": str(config.state / "ovs"),
        "OVN_RUNDIR": str(config.run / "ovn"),
    }


def engines(config: Config) -> list[Process]:
    """Return the engines in the order of their start: OVN's databases only where they are kept."""
    control = _control(config) if config.keeps_databases else []
    return [*control, *_switch(config), *_virtualization(config)]


def _control(config: Config) -> list[Process]:
    ovn, state, environment = config.run / "ovn", config.state / "ovn", ovs_environment(config)
    north = _database("ovn-nb", state / "nb.db", ovn / "nb.sock", ovn / "nb.ctl", environment)
    south = _database("ovn-sb", state / "sb.db", ovn / "sb.sock", ovn / "sb.ctl", environment)
    share = "" if config.joined else config.cloud.user
    north, south = replace(north, socket_for=share), replace(south, socket_for=share)
    then = "chassis-access" if config.serves_hosts else ""
    relay = []
    if config.clustered:
        hosts, tls = config.hosts, databases_tls(config)
        here = bracketed(hosts.address)
        north = replace(north, argv=(*north.argv, f"--remote=pssl:{hosts.northbound_port}:{here}", *tls))
        south = replace(
            south, argv=(*south.argv, f"--remote=pssl:{hosts.southbound_member_port}:{here}", *tls)
        )
        relay = [replace(_relay(config, environment), then=then)]
    elif config.several:
        south = replace(south, argv=(*south.argv, *_for_hosts(config)), then=then)
    argv = (
        "ovn-northd",
        f"--ovnnb-db={config.northbound}",
        f"--ovnsb-db={config.southbound}",
        f"--unixctl={ovn / 'northd.ctl'}",
        *(databases_tls(config) if config.clustered else ()),
    )
    return [
        replace(north, title="networks as wanted (OVN northbound database)"),
        replace(south, title="networks as flows (OVN southbound database)"),
        Process(
            "ovn-northd",
            argv,
            environment,
            ovn / "northd.ctl",
            after=("ovn-nb", "ovn-sb"),
            confined=True,
            title="translation of networks to flows (OVN northd)",
        ),
        *relay,
    ]


def _relay(config: Config, environment: dict[str, str]) -> Process:
    """Return what stands between the hosts and a cluster's southbound database.

    A server trusts the same certificates at all its ports; with the hosts' among them, a stolen one could take part in
    the cluster. The relay has them, and the server behind it only those of the cluster's machines.
    """
    ovn = config.run / "ovn"
    argv = (
        "ovsdb-server",
        f"--remote=punix:{ovn / 'relay.sock'}",
        f"--unixctl={ovn / 'relay.ctl'}",
        *_for_hosts(config),
        f"relay:OVN_Southbound:{config.southbound}",
    )
    return Process(
        "ovn-sb-relay",
        argv,
        environment,
        ovn / "relay.sock",
        after=("ovn-sb",),
        confined=True,
        title="the southbound database for other hosts (OVN)",
    )


def _for_hosts(config: Config) -> tuple[str, ...]:
    """Return how the southbound database answers other hosts: where, and by which roles, it says itself."""
    tls = certificates_folder(config)
    return (
        "--remote=db:OVN_Southbound,SB_Global,connections",
        f"--private-key={tls / 'ovn.key'}",
        f"--certificate={tls / 'ovn.pem'}",
        f"--ca-cert={config.state / 'hosts' / 'chassis.pem'}",
    )


def databases_tls(config: Config) -> tuple[str, ...]:
    """Return how a program of root's speaks as one of the machines that keep OVN's databases, and to them."""
    tls = certificates_folder(config)
    return (
        f"--private-key={tls / 'ovn.key'}",
        f"--certificate={tls / 'ovn.pem'}",
        f"--ca-cert={config.state / 'hosts' / 'databases.pem'}",
    )


def certificates_folder(config: Config) -> Path:
    return config.state / "tls"


def _own_certificate(config: Config) -> tuple[str, ...]:
    """Return how a host's ovn-controller shows who it is to a database of another machine."""
    if not config.joined and not config.clustered:
        return ()
    tls = certificates_folder(config)
    return (
        f"--private-key={tls / 'host.key'}",
        f"--certificate={tls / 'host.pem'}",
        f"--ca-cert={config.state / 'hosts' / 'databases.pem'}",
    )


def _switch(config: Config) -> list[Process]:
    ovs, environment = config.run / "ovs", ovs_environment(config)
    enter = namespace.entering(config)
    database = _database(
        "ovs-db", config.state / "ovs" / "conf.db", ovs / "db.sock", ovs / "db.ctl", environment
    )
    return [
        replace(database, then="chassis", title="the switch's database (Open vSwitch)"),
        Process(
            "ovs-vswitchd",
            (*enter, "ovs-vswitchd", config.open_vswitch, f"--unixctl={ovs / 'vswitchd.ctl'}"),
            environment,
            ovs / "vswitchd.ctl",
            then="joint",
            after=("ovs-db",),
            title="the switch (Open vSwitch)",
        ),
        Process(
            "ovn-controller",
            (*enter, "ovn-controller", config.open_vswitch, *_own_certificate(config)),
            environment,
            after=("ovn-sb", "ovs-vswitchd") if config.keeps_databases else ("ovs-vswitchd",),
            # SIGTERM would make it take back its tunnels and the ports' bindings.
            gentle_end=(
                "ovn-appctl",
                "-t",
                f"{config.run / 'ovn' / 'ovn-controller.{pid}.ctl'}",
                "exit",
                "--restart",
            ),
            title="flows of this host (OVN controller)",
        ),
    ]


def _virtualization(config: Config) -> list[Process]:
    lib, room = config.run / "libvirt", (*namespace.entering(config), *_libvirt_room(config))
    return [
        Process(
            "virtlogd",
            (*room, "virtlogd", "-f", str(lib / "virtlogd.conf"), "-p", str(lib / "virtlogd.pid")),
            {},
            lib / "system" / "virtlogd-sock",
            title="console logs of servers (libvirt)",
        ),
        Process(
            "libvirtd",
            (*room, "libvirtd", "-f", str(lib / "libvirtd.conf"), "-p", str(lib / "libvirtd.pid")),
            # No systemd-machined: it would put guests where the machine's shutdown ends them at once.
            {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent"},
            lib / "libvirt-sock",
            after=("virtlogd",),
            leaves_children=True,
            title="servers (libvirt, QEMU)",
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


def _libvirt_room(config: Config) -> tuple[str, ...]:
    words = [sys.executable, "-m", "clearsky.engines.room"]
    for source, target in libvirt_folders(config).items():
        words += ["--bind", str(source), str(target)]
    words += ["--hide-kvm", str(config.run / "libvirt" / "no-kvm"), str(virtualization.kept_in(config))]
    return tuple(words)


def _database(name: str, file: Path, socket: Path, control: Path, environment: dict[str, str]) -> Process:
    argv = (
        "ovsdb-server",
        str(file),
        f"--remote=punix:{socket}",
        f"--unixctl={control}",
        f"--pidfile={socket.with_suffix('.pid')}",
    )
    return Process(name, argv, environment, socket, confined=True)


MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(256 << 10)}
"""Give each large piece of memory back when it is free. By itself glibc soon takes pieces of megabytes from the heap of
the thread that asks, where one small neighbour keeps them for ever: downloads alone cost the api 170 MB that way."""


def own(config: Config, program: Path) -> list[Process]:
    """Return Clearsky's own processes, run from the folder `program`."""
    environment = MEMORY | {"PYTHONPATH": str(program / "src"), build.VARIABLE: build.current()}
    if config.file:
        environment[FILE_VARIABLE] = str(config.file)
    interpreter = Path(sys.executable)
    if interpreter.is_relative_to(HOME):
        interpreter = program / interpreter.relative_to(HOME)
    python = (str(interpreter), "-m")
    user = config.cloud.user
    agent = Process(
        "agent",
        (*python, "clearsky.agent"),
        environment | ovs_environment(config),
        after=("libvirtd", "ovn-controller") if config.joined else ("api", "libvirtd", "ovn-controller"),
        leaves_children=True,
        title="servers and ports of this host",
    )
    if config.joined:
        return [agent]
    return [
        Process(
            "api",
            (*python, "clearsky.api"),
            environment,
            config.agent_api_socket,
            user,
            after=("ovn-nb",),
            capabilities=("NET_BIND_SERVICE",) if config.api.port < PRIVILEGED_PORTS else (),
            confined=True,
            title="the APIs",
        ),
        Process(
            "worker",
            (*python, "clearsky.work"),
            environment,
            None,
            user,
            after=("ovn-nb",),
            confined=True,
            title="reconcilers",
        ),
        agent,
    ]

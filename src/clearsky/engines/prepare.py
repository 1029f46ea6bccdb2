"""What must be there before the engines start, and what is set once they run. Every `ensure_` may run again."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import structlog

from clearsky.config import Config, ConfigError
from clearsky.engines import databases
from clearsky.engines.definitions import HOME, OVS_SCHEMA, SCHEMAS, libvirt_folders

log = structlog.get_logger("prepare")
CONSOLE_LOG_BYTES = 2 * 1024 * 1024
"""A server's console log is kept to twice this."""
PACKAGES = {
    "ovn-central": "ovn-northd",
    "ovn-host": "ovn-controller",
    "openvswitch-switch": "ovs-vswitchd",
    "libvirt-daemon": "libvirtd",
    "libvirt-daemon-driver-qemu": "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so",
    "qemu-system-x86": "qemu-system-x86_64",
    "qemu-utils": "qemu-img",
    "iproute2": "ip",
    "iputils-ping": "ping",
    "ethtool": "ethtool",
    "nftables": "nft",
    "genisoimage": "genisoimage",
    "mmdebstrap": "mmdebstrap",
    "syslinux": "syslinux",
    "dosfstools": "mkfs.vfat",
    "mtools": "mcopy",
    "e2fsprogs": "mke2fs",
}
"""Debian package -> a program or file of it."""


UNITS = {
    "ovn-central": "ovn-central",
    "ovn-host": "ovn-host",
    "openvswitch-switch": "openvswitch-switch",
    "libvirt-daemon": "libvirtd",
}
"""Debian package -> the service that it would start by itself."""


def missing_packages() -> list[str]:
    """Return the Debian packages that are needed and not there."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return [
        name
        for name, program in PACKAGES.items()
        if not (Path(program).exists() if program.startswith("/") else shutil.which(program, path=path))
    ]


def install(packages: list[str]) -> None:
    """Install Debian packages without letting their daemons start: ours run from definitions of their own."""
    policy = Path("/usr/sbin/policy-rc.d")
    made = not policy.exists()
    if made:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
        policy.chmod(0o755)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet, capture_output=True)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
            check=True,
            env=quiet,
            capture_output=True,
        )
    finally:
        if made:
            policy.unlink()
    if Path("/run/systemd/system").exists():
        # They would be there at the next boot, on the same datapath as ours.
        units = [unit for package, unit in UNITS.items() if package in packages]
        subprocess.run(["systemctl", "disable", "--now", "--quiet", *units], check=False, capture_output=True)


def accounts(config: Config) -> dict[str, tuple[str, ...]]:
    """Return the accounts without rights that processes run as, and the further groups of each."""
    return {
        config.cloud.user: (),
        f"{config.cloud.user}-guest": (),  # answers what guests ask
        config.compute.qemu_user: ("kvm",),
    }


def ensure_accounts(config: Config) -> None:
    """Make the accounts that are not there."""
    for name, groups in accounts(config).items():
        try:
            pwd.getpwnam(name)
            continue
        except KeyError:
            pass
        known = [group for group in groups if _has_group(group)]
        further = ("--groups", ",".join(known)) if known else ()
        subprocess.run(
            [
                "useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
                "--shell", "/usr/sbin/nologin", *further, name,
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip


def _has_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def ensure_folders(config: Config) -> None:
    """Make the folders: the api's account has its state, the engines' parts are root's."""
    account = pwd.getpwnam(config.cloud.user)
    state, run = config.state, config.run
    for folder, mode in (
        (state, 0o711),
        (run, 0o711),
        (run / "bell", 0o700),
        (state / "images", 0o711),
        (state / "fernet-keys", 0o700),
        (state / "credential-keys", 0o700),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        os.chown(folder, account.pw_uid, account.pw_gid)
    (state / "passwords").mkdir(exist_ok=True, mode=0o700)
    for folder in (
        state / "logs",
        state / "ovn",
        state / "ovs",
        run / "ovn",
        run / "ovs",
        run / "libvirt",
        state / "libvirt",
    ):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
    for folder in libvirt_folders(config):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)


def give_state(config: Config) -> None:
    """Give the api's account what root has made for it."""
    account = pwd.getpwnam(config.cloud.user)
    state = config.state
    for pattern in ("clearsky.db*", "fernet-keys/*", "credential-keys/*", "tls/api.*", "tls/agents.*"):
        for path in state.glob(pattern):
            os.chown(path, account.pw_uid, account.pw_gid)


def renew(config: Config) -> None:
    """Make certificates again that are about to run out; what is wrong is logged."""
    if not config.tls and not config.serves_hosts:
        return
    from clearsky import certificates  # noqa: PLC0415 - a large import for those who serve plain HTTP
    from clearsky.hosts import registry  # noqa: PLC0415 - the same

    try:
        if certificates.ensure(config):
            give_state(config)
            if config.serves_hosts:
                registry.ensure(config)
            log.info("certificates were made again")
    except (ConfigError, OSError) as error:
        log.error("the API's certificate is not renewed", error=str(error))  # noqa: TRY400


def open_to_all(folder: Path) -> bool:
    """Say whether every account can reach a folder."""
    return all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def ensure_program(config: Config) -> Path:
    """Return where processes without rights can read the program: the checkout, or a view of it where it is hidden."""
    if open_to_all(HOME):
        return HOME
    view = config.run / "program"
    view.mkdir(exist_ok=True)
    if not (view / "src").exists():
        subprocess.run(["mount", "--bind", "-o", "ro", str(HOME), str(view)], check=True, capture_output=True)
    return view


def ensure_databases(config: Config) -> None:
    """Make the databases of OVN and Open vSwitch where they are not there yet."""
    found = [(config.state / "ovs" / "conf.db", OVS_SCHEMA)]
    if config.clustered and config.keeps_databases:
        databases.ensure(config)
    elif config.keeps_databases:
        found += [
            (config.state / "ovn" / f"{name}.db", SCHEMAS / f"ovn-{name}.ovsschema") for name in ("nb", "sb")
        ]
    for file, schema in found:
        if not file.exists():
            subprocess.run(["ovsdb-tool", "create", str(file), str(schema)], check=True, capture_output=True)


def ensure_libvirt(config: Config) -> None:
    """Write libvirt's configuration: sockets in our run directory, servers under an account without rights."""
    lib, etc = config.run / "libvirt", config.state / "libvirt" / "etc"
    group = grp.getgrgid(pwd.getpwnam(config.compute.qemu_user).pw_gid).gr_name
    (lib / "libvirtd.conf").write_text(
        f'unix_sock_dir = "{lib}"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\nunix_sock_rw_perms = "0700"\n'
        'log_outputs = "3:stderr"\nmax_clients = 100\n',
        encoding="utf-8",
    )
    (lib / "virtlogd.conf").write_text(
        f'log_outputs = "3:stderr"\nmax_size = {CONSOLE_LOG_BYTES}\nmax_backups = 1\n', encoding="utf-8"
    )
    # Who owns a server's files is the agent's to say, so libvirt neither changes nor remembers owners.
    (etc / "qemu.conf").write_text(
        f'user = "{config.compute.qemu_user}"\ngroup = "{group}"\nsecurity_driver = "none"\nnamespaces = []\n'
        "cgroup_controllers = []\ndynamic_ownership = 0\nremember_owner = 0\n",
        encoding="utf-8",
    )


def vsctl(config: Config, *arguments: str) -> str:
    """Run ovs-vsctl against this cloud's Open vSwitch."""
    done = subprocess.run(
        ["ovs-vsctl", f"--db={config.open_vswitch}", "--timeout=10", *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def datapath(config: Config) -> str:
    """Return kernel or netdev: the kernel's datapath where its module is there or can be loaded."""
    if config.network.datapath != "auto":
        return config.network.datapath
    if Path("/sys/module/openvswitch").exists():
        return "kernel"
    if shutil.which("modprobe") is None:
        return "netdev"  # a container without kmod, whose kernel is not its own
    tried = subprocess.run(["modprobe", "openvswitch"], check=False, capture_output=True)
    return "kernel" if tried.returncode == 0 else "netdev"


def ensure_chassis(config: Config) -> None:
    """Set this host up as an OVN chassis with its bridges."""
    net = config.network
    kind = "netdev" if datapath(config) == "netdev" else "system"
    vsctl(config, "--no-wait", "init")
    provides = config.carries_provider
    settings = {
        "external-ids:system-id": config.host,
        "external-ids:hostname": config.host,
        "external-ids:ovn-remote": f'"{config.chassis_southbound()}"',
        "external-ids:ovn-encap-type": net.encapsulation,
        "external-ids:ovn-encap-ip": f'"{config.hosts.address or "127.0.0.1"}"',
        "external-ids:ovn-bridge": net.integration_bridge,
        "external-ids:ovn-bridge-datapath-type": kind,
        "external-ids:ovn-bridge-mappings": f"{net.provider_name}:{net.external_bridge}"
        if provides
        else '""',
        "external-ids:ovn-cms-options": "enable-chassis-as-gw" if provides else '""',
        "external-ids:ovn-monitor-all": "true",
    }
    if kind == "netdev":
        # One netdev node alone: offloads work with this. Nothing so offloaded crosses a tunnel.
        settings["other_config:userspace-tso-enable"] = "false" if config.several else "true"
    vsctl(
        config,
        "--no-wait",
        "set",
        "open_vswitch",
        ".",
        *(f"{key}={value}" for key, value in settings.items()),
    )
    for bridge, extra in ((net.integration_bridge, ("fail-mode=secure",)), (net.external_bridge, ())):
        vsctl(
            config,
            "--no-wait",
            "--may-exist",
            "add-br",
            bridge,
            "--",
            "set",
            "bridge",
            bridge,
            f"datapath_type={kind}",
            *extra,
        )

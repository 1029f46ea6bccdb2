"""Settings: one TOML file, read once into frozen dataclasses.

Everything that names a path, a port, an address or a device is here, so that several clouds can run
beside each other on one machine. Unknown keys are errors: a misspelt setting must not be silently ignored.
"""

from __future__ import annotations

import ipaddress
import os
import re
import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from clearsky.config_sections import Hosts, Identity, Image

DEFAULT_FILE = Path("/etc/clearsky/clearsky.toml")
FILE_VARIABLE = "CLEARSKY_CONFIG"
KEEPERS = ("auto", "systemd", "supervisor")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,11}")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not chosen
"""Address that stands for all -> loopback address of the same kind."""


JOINED = "joined.toml"
"""File in a joined host's state directory with what its control plane has told it: it goes before the settings file."""


class ConfigError(Exception):
    """The settings file is missing, unreadable, or holds a key or value that is not understood."""


@dataclass(frozen=True, slots=True)
class Cloud:
    name: str = "clearsky"
    """Entry in clouds.yaml of the demo user; the administrator's entry is NAME-admin."""
    region: str = "RegionOne"
    state_dir: Path = Path("/var/lib/clearsky")
    run_dir: Path = Path("/run/clearsky")
    cache_dir: Path = Path()
    """Built images and downloaded assets; another place than the default (in the state directory) survives a purge
    and can serve several clouds."""
    clouds_file: Path = Path("/etc/openstack/clouds.yaml")
    user: str = "clearsky"
    """Unprivileged system account of the api and worker processes."""
    simulate: bool = False
    """Fake drivers instead of engines; never the default."""
    host: str = ""
    """Name of this host in the cloud; empty: the machine's host name."""
    namespace: str = ""
    """Network namespace that `up` makes for the switch and the servers; empty: this machine's own. Each further cloud of
    a machine needs one. A veth pair joins it to this machine."""
    keeper: str = "auto"
    """Who keeps the processes running: systemd, supervisor, or auto: systemd where it runs this machine."""


@dataclass(frozen=True, slots=True)
class Api:
    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 and :: are all of this machine's. What is not loopback is served with TLS."""
    port: int = 8800
    public_name: str = ""
    """Host name or address by which clients reach the APIs; empty: `host`."""
    tls: str = "auto"
    """auto: plain HTTP on loopback only; always: TLS there as well."""
    certificate: Path = Path()
    """PEM file with a certificate and its chain; empty: one by the cloud's own private authority."""
    certificate_key: Path = Path()
    ca: Path = Path()
    """PEM file with what clients must trust for `certificate`; empty: what their system trusts."""
    further_names: tuple[str, ...] = ()
    """More host names and addresses for the certificate of the private authority."""
    threads: int = 8
    """Database threads of the api's process."""
    body_limit_kib: int = 256
    """Largest request body, except for image data and other uploads."""
    page_limit: int = 1000
    """Longest page of a list, also what a list without `limit` returns."""
    policy_file: Path = Path()
    """YAML file of oslo.policy, rule name -> check: in place of the defaults. Read when the api starts."""


@dataclass(frozen=True, slots=True)
class Database:
    url: str = ""
    """SQLAlchemy URL; empty: SQLite in the state directory."""


@dataclass(frozen=True, slots=True)
class Work:
    threads: int = 8
    slow_threads: int = 2
    """For work that may take minutes: imports of images."""
    lease_s: float = 60.0
    poll_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Network:
    datapath: str = "auto"
    """kernel, netdev (userspace), or auto: kernel where the module can be loaded."""
    encapsulation: str = "vxlan"
    integration_bridge: str = "br-int"
    external_bridge: str = "br-ex"
    underlay_mtu: int = 1500
    underlay_device: str = ""
    """Interface that carries the tunnels. Only the userspace datapath needs it: the interface becomes a port of the bridge
    `underlay_bridge`, which takes its addresses and routes over."""
    underlay_bridge: str = "br-phy"
    device_prefix: str = "cs"
    """Start of the names of all devices and namespaces that this cloud makes; at most 3 characters."""
    provider_device: str = ""
    """Interface to the provider's network, made a port of the external bridge; empty: this machine is that network's
    gateway itself, and a joined host has no way there."""
    provider_name: str = "physnet1"
    """Name of the physical network that the external bridge carries."""
    bandwidth_egress_kbps: int = 0
    bandwidth_ingress_kbps: int = 0
    """What each host's link to the physical network carries: so much is promised by QoS rules `minimum_bandwidth`."""
    public_cidr: str = "172.24.4.0/24"
    """Range of the provider network `public`; its first address is the host's own on the external bridge."""
    dns_servers: tuple[str, ...] = ("9.9.9.9",)
    """What guests of a subnet that names no DNS server are told of; empty: of none."""
    masquerade: bool = True
    """Let guests reach the world through the host's own address."""


@dataclass(frozen=True, slots=True)
class Compute:
    virtualization: str = "auto"
    """kvm, tcg, or auto: kvm where a probe guest boots with it."""
    cpu_allocation_ratio: float = 16.0
    memory_allocation_ratio: float = 1.0
    reserved_memory_mib: int = 512
    qemu_user: str = "libvirt-qemu"
    """Unprivileged account that servers run as."""
    console_lifetime_s: int = 600
    image_cache_gib: int = 20
    """Fetched images that no server on the host stands on are kept up to this size."""


@dataclass(frozen=True, slots=True)
class Quota:
    instances: int = 20
    cores: int = 40
    ram_mib: int = 51200
    key_pairs: int = 100
    metadata_items: int = 128
    server_groups: int = 10
    server_group_members: int = 10
    networks: int = 100
    subnets: int = 100
    ports: int = 500
    routers: int = 10
    floating_ips: int = 50
    security_groups: int = 10
    security_group_rules: int = 100
    subnet_pools: int = -1
    rbac_policies: int = 10
    address_groups: int = 10
    trunks: int = -1
    qos_policies: int = -1


@dataclass(frozen=True, slots=True)
class Config:
    cloud: Cloud = field(default_factory=Cloud)
    api: Api = field(default_factory=Api)
    hosts: Hosts = field(default_factory=Hosts)
    database: Database = field(default_factory=Database)
    work: Work = field(default_factory=Work)
    identity: Identity = field(default_factory=Identity)
    image: Image = field(default_factory=Image)
    network: Network = field(default_factory=Network)
    compute: Compute = field(default_factory=Compute)
    quota: Quota = field(default_factory=Quota)
    file: Path | None = None
    """Where it was read from; None: the defaults."""

    @property
    def state(self) -> Path:
        return self.cloud.state_dir

    @property
    def run(self) -> Path:
        return self.cloud.run_dir

    @property
    def cache(self) -> Path:
        return self.state / "cache" if self.cloud.cache_dir == Path() else self.cloud.cache_dir

    @property
    def image_staging(self) -> Path:
        return self.state / "staging" if self.image.staging_dir == Path() else self.image.staging_dir

    @property
    def host(self) -> str:
        return self.cloud.host or os.uname().nodename.split(".")[0]

    @property
    def database_url(self) -> str:
        return self.database.url or f"sqlite:///{self.state / 'clearsky.db'}"

    @property
    def tls(self) -> bool:
        """Say whether the APIs are served with TLS."""
        return self.api.tls == "always" or not _is_loopback(self.api.host)

    @property
    def public_name(self) -> str:
        """Host name or address by which clients reach the APIs."""
        return self.api.public_name or self.api.host

    @property
    def api_names(self) -> tuple[str, ...]:
        """What the APIs' certificate is for, the public name first."""
        everywhere = self.api.host in EVERYWHERE
        own = ("localhost", "127.0.0.1", "::1") if everywhere else (self.api.host,)
        return tuple(dict.fromkeys((self.public_name, *own, *self.api.further_names)))

    @property
    def endpoint(self) -> str:
        """Root URL of every API, without a trailing slash."""
        return f"{'https' if self.tls else 'http'}://{bracketed(self.public_name)}:{self.api.port}"

    @property
    def api_address(self) -> tuple[str, int]:
        """Where this machine itself reaches the APIs, whatever their public name leads to."""
        return EVERYWHERE.get(self.api.host, self.api.host), self.api.port

    @property
    def external_device(self) -> str:
        """The machine's own device toward the provider networks."""
        return f"{self.cloud.namespace}-ex" if self.cloud.namespace else self.network.external_bridge

    @property
    def joined(self) -> bool:
        """Say whether this machine is a host of a control plane elsewhere."""
        return bool(self.hosts.control)

    @property
    def serves_hosts(self) -> bool:
        """Say whether this machine is the control plane of other hosts."""
        return bool(self.hosts.address) and not self.joined

    @property
    def several(self) -> bool:
        """Say whether the cloud may have more than one host."""
        return bool(self.hosts.address)

    @property
    def clustered(self) -> bool:
        """Say whether OVN's databases are a cluster."""
        return bool(self.hosts.databases)

    @property
    def keeps_databases(self) -> bool:
        """Say whether OVN's databases run on this machine."""
        return not self.joined or self.hosts.address in self.hosts.databases

    def _ovn(self, name: str, port: int, of: tuple[str, ...] = ()) -> str:
        """Return where one of OVN's databases is: this machine's own first, then the others of the cluster."""
        own = [f"unix:{self.run / 'ovn' / name}"] if self.keeps_databases else []
        hosts = self.hosts
        others = of or hosts.databases or ((hosts.control,) if self.joined else ())
        return ",".join([*own, *(f"ssl:{bracketed(one)}:{port}" for one in others if one != hosts.address)])

    @property
    def carries_provider(self) -> bool:
        """Say whether this host has a way to the provider's network, and so can be a gateway."""
        return not self.joined or bool(self.network.provider_device)

    @property
    def is_provider_gateway(self) -> bool:
        """Say whether this machine itself is the gateway of the provider's network."""
        return not self.joined and not self.network.provider_device

    @property
    def northbound(self) -> str:
        return self._ovn("nb.sock", self.hosts.northbound_port)

    @property
    def southbound(self) -> str:
        """Return where those who keep OVN's databases reach the southbound one, with all rights."""
        return self._ovn("sb.sock", self.hosts.southbound_member_port)

    def chassis_southbound(self, machines: tuple[str, ...] = ()) -> str:
        """Return where this host's controller reaches it; `machines` keep it now, else those of the settings do."""
        return self._ovn("sb.sock", self.hosts.southbound_port, machines)

    @property
    def open_vswitch(self) -> str:
        return f"unix:{self.run / 'ovs' / 'db.sock'}"

    @property
    def libvirt_uri(self) -> str:
        return f"qemu+unix:///system?socket={self.run / 'libvirt' / 'libvirt-sock'}"

    @property
    def report_file(self) -> Path:
        """File that a joined host's agent touches when the control plane has taken its report."""
        return self.run / "reported"

    @property
    def agent_api_socket(self) -> Path:
        """UNIX socket on which the api serves the agents of this machine."""
        return self.run / "agent-api.sock"


def load(file: Path | None = None) -> Config:
    """Read the settings from `file`, $CLEARSKY_CONFIG or the default place; defaults where there is none.

    Raises ConfigError for a named file that does not exist, and for anything in it that is not understood.
    """
    named = file or (Path(os.environ[FILE_VARIABLE]) if os.environ.get(FILE_VARIABLE) else None)
    path = named or DEFAULT_FILE
    if not path.exists():
        if named:
            raise ConfigError(f"the settings file {path} does not exist")
        return _with_joined({}, Config(), None)
    data = _read(path)
    return _with_joined(data, parse(data, path), path)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error}") from error


def _with_joined(data: dict[str, Any], config: Config, path: Path | None) -> Config:
    """Return the settings of a host that has joined a control plane: what it was told goes before its own file."""
    told = config.state / JOINED
    try:
        if not told.exists():
            return config
    except PermissionError:
        return config
    merged = {section: dict(values) for section, values in data.items()}
    for section, values in _read(told).items():
        merged[section] = merged.get(section, {}) | values
    return parse(merged, path)


def bracketed(address: str) -> str:
    """Return an address or name as it stands in URLs and before a port."""
    return f"[{address}]" if ":" in address else address


def parse(data: dict[str, Any], path: Path | None = None) -> Config:
    """Turn parsed TOML into a Config; raises ConfigError that names the section, the key and the value."""
    sections: dict[str, Any] = {}
    known = {f.name: f.default_factory for f in fields(Config) if f.name != "file"}
    for name, values in data.items():
        factory: Any = known.get(name)
        if factory is None or not isinstance(values, dict):
            raise ConfigError(f"{path}: there is no section [{name}]; there are: {', '.join(known)}")
        sections[name] = _section(f"{path}: [{name}]", factory, values)
    config = Config(**sections, file=path)
    _check_cloud(config.cloud, path)
    _check_api(config.api, path)
    _check_hosts(config.hosts, path)
    _check_identity(config.identity, path)
    return config


def _check_identity(identity: Identity, path: Path | None) -> None:
    try:
        re.compile(identity.password_regex)
    except re.error as error:
        raise ConfigError(
            f"{path}: [identity] password_regex = {identity.password_regex!r}: {error}"
        ) from error
    for name, provider in identity.oidc.items():
        if not provider.issuer or not provider.client_id:
            raise ConfigError(f"{path}: [identity.oidc.{name}] needs issuer and client_id")


def _check_hosts(hosts: Hosts, path: Path | None) -> None:
    """Refuse addresses that are none, and a cluster that could not agree."""
    where = f"{path}: [hosts]"
    for key, addresses in (
        ("address", [hosts.address] if hosts.address else []),
        ("databases", hosts.databases),
    ):
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                raise ConfigError(f"{where} {key}: {error}") from error
    if not hosts.databases:
        return
    if len(set(hosts.databases)) not in (1, 3, 5):
        raise ConfigError(
            f"{where} databases: {len(hosts.databases)} addresses; 3 or 5 (or 1, to begin with) agree"
        )
    if not hosts.control and hosts.address not in hosts.databases:
        raise ConfigError(
            f"{where} databases: the control plane's own address {hosts.address!r} must be among them"
        )


def _check_cloud(cloud: Cloud, path: Path | None) -> None:
    """Refuse what cannot be a name of a device or of a unit, and keepers that are not known."""
    where = f"{path}: [cloud]"
    if not NAME.fullmatch(cloud.name):
        raise ConfigError(f"{where} name = {cloud.name!r}: letters, digits, '-', '_' and '.', at most 40")
    if cloud.namespace and not NAMESPACE.fullmatch(cloud.namespace):
        raise ConfigError(
            f"{where} namespace = {cloud.namespace!r}: at most 12 small letters, digits and '-', a letter first"
        )
    if cloud.keeper not in KEEPERS:
        raise ConfigError(f"{where} keeper = {cloud.keeper!r}: {', '.join(KEEPERS)}")


def _check_api(api: Api, path: Path | None) -> None:
    """Refuse settings of the APIs' address that contradict each other."""
    where = f"{path}: [api]"
    if api.tls not in {"auto", "always"}:
        raise ConfigError(f"{where} tls = {api.tls!r}: auto or always; what is not loopback always has TLS")
    if api.host in EVERYWHERE and not api.public_name:
        raise ConfigError(
            f"{where} host = {api.host!r} is every address of this machine: public_name must say by which clients come"
        )
    if api.public_name in EVERYWHERE:
        raise ConfigError(f"{where} public_name = {api.public_name!r}: nobody can connect to that")
    if (api.certificate == Path()) != (api.certificate_key == Path()):
        raise ConfigError(f"{where} certificate and certificate_key belong together: one of them is missing")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _section(where: str, factory: Any, values: dict[str, Any]) -> Any:
    defaults, given = factory(), {}
    known = {f.name: f for f in fields(defaults)}
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"{where} has no setting {key!r}; it has: {', '.join(known)}")
        each = known[key].metadata.get("of")
        if each is None:
            given[key] = _convert(f"{where} {key}", value, getattr(defaults, key))
        elif isinstance(value, dict) and all(isinstance(item, dict) for item in value.values()):
            label = f"{where[:-1]}.{key}"
            given[key] = {name: _section(f"{label}.{name}]", each, item) for name, item in value.items()}
        else:
            raise ConfigError(f"{where} {key} = {value!r}: expected tables, as in {where[:-1]}.{key}.NAME]")
    return factory(**given)


def _convert(where: str, value: Any, default: Any) -> Any:
    if isinstance(default, Path) and isinstance(value, str):
        return Path(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(str(item) for item in value)
    if isinstance(default, float) and type(value) is int:
        return float(value)
    if type(value) is type(default):
        return value
    raise ConfigError(f"{where} = {value!r}: expected {type(default).__name__}")

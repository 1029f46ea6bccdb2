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

DEFAULT_FILE = Path("/etc/clearsky/clearsky.toml")
FILE_VARIABLE = "CLEARSKY_CONFIG"
KEEPERS = ("auto", "systemd", "supervisor")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
NAMESPACE = re.compile(r"[a-z][a-z0-9-]{0,11}")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - recognised, not chosen
"""Address that stands for all -> loopback address of the same kind."""


LIMIT_MODELS = ("flat", "strict_two_level")


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
    workers: int = 1
    """Number of api processes."""
    threads: int = 8
    """Database threads of each api process."""
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
class Oidc:
    """`[identity.oidc.NAME]`: how an OpenID Connect provider is asked; NAME is its identity provider in the API."""

    issuer: str = ""
    """Its URL, exactly as its tokens name it; https, or http on this machine."""
    client_id: str = ""
    audiences: tuple[str, ...] = ()
    """What else than client_id its tokens may be made for."""
    client_secret_file: Path = Path()
    """For log-ins by browser and for asking about opaque tokens."""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    userinfo: bool = False
    """Ask the userinfo endpoint for more claims at each log-in; clients must bring access tokens then."""
    ca_file: Path = Path()
    """Certificates that its own is signed by, where the system does not have them."""

    @property
    def secret(self) -> str:
        if self.client_secret_file == Path():
            return ""
        return self.client_secret_file.read_text(encoding="utf-8").strip()


@dataclass(frozen=True, slots=True)
class Identity:
    token_lifetime_s: int = 24 * 3600
    allow_expired_s: int = 48 * 3600
    """How long after its end a token can still be read with `allow_expired`, as services do in long operations."""
    receipt_lifetime_s: int = 300
    """How long one has for the second of several authentication methods."""
    argon2_time_cost: int = 2
    argon2_memory_kib: int = 19456
    lockout_attempts: int = 10
    lockout_s: int = 300
    list_limit: int = 0
    """Longest list that is answered without `limit`; 0: whole ones. What is cut off is said by `truncated`."""
    max_project_tree_depth: int = 5
    """So many projects can be below each other."""
    password_expires_days: int = 0
    """0: never."""
    unique_last_password_count: int = 0
    """So many of the last passwords cannot be taken again; 0: all can."""
    minimum_password_age_days: int = 0
    """How long users must keep a password that they have chosen."""
    password_regex: str = ""
    """What a password must match in full; empty: anything."""
    password_regex_description: str = ""
    """The same in words, for those who are refused."""
    change_password_upon_first_use: bool = False
    """A password that an administrator has set must be changed at its first use."""
    disable_user_account_days_inactive: int = 0
    """After so many days without a log-in a user counts as disabled; 0: never."""
    limit_model: str = "flat"
    """flat, or strict_two_level: no project may have more than its domain."""
    key_rotation_s: int = 24 * 3600
    """How often the keys of tokens rotate by themselves; the worker does it. 0: never."""
    credential_key_rotation_s: int = 30 * 24 * 3600
    """The same for the keys that encrypt stored credentials."""
    max_redelegation_count: int = 3
    """How often a trust can be passed on."""
    application_credentials_per_user: int = 100
    """0: any number."""
    oauth1_request_token_s: int = 8 * 3600
    """How long a user has to authorize what an OAuth 1.0 consumer asks for; 0: any time."""
    oauth1_access_token_s: int = 24 * 3600
    """How long an OAuth 1.0 consumer may act for the user; 0: until the user takes it back."""
    trusted_dashboards: tuple[str, ...] = ()
    """URLs to which a log-in by browser may bring a token: `https://dashboard/auth/websso/`."""
    oidc: dict[str, Oidc] = field(default_factory=dict, metadata={"of": Oidc})


@dataclass(frozen=True, slots=True)
class ImageStore:
    """`[image.stores.NAME]`: a place that keeps image data."""

    type: str = "file"
    """file or rbd."""
    description: str = ""
    weight: int = 0
    """Of the stores that have an image, it is read from the one with the largest weight."""
    folder: Path = Path()
    """file: where; empty: `images` in the state directory (the store `file`), `images/NAME` there (others)."""
    pool: str = "images"
    ceph_conf: Path = Path("/etc/ceph/ceph.conf")
    ceph_user: str = "glance"
    """rbd: without `client.`; its key is where ceph_conf says."""


@dataclass(frozen=True, slots=True)
class Image:
    size_limit_gib: int = 100
    """Largest upload, and largest virtual size that an image may claim."""
    show_multiple_locations: bool = False
    """Show the owner of an image where each store keeps its data, and let administrators take copies away there."""
    show_image_direct_url: bool = False
    """Show the owner of an image where the first store keeps its data."""
    property_limit: int = 128
    """Most custom properties of an image; -1: any number. So for the next two."""
    tag_limit: int = 128
    member_limit: int = 128
    """Most projects that an image is shared with."""
    property_protection_file: Path = Path()
    """Who may do what to which custom property; see docs/guide/images.md. Empty: everybody everything."""
    property_protection_format: str = "roles"
    """What that file names: roles or policies."""
    stores: dict[str, ImageStore] = field(default_factory=dict, metadata={"of": ImageStore})
    """None: one store `file`."""
    default_store: str = ""
    """Empty: the first store."""
    staging_dir: Path = Path()
    """Where imports keep data until it has been looked at; empty: `staging` in the state directory."""
    upload_idle_s: float = 120.0
    """An upload whose process has not been heard of for so long is given up."""
    import_methods: tuple[str, ...] = ("glance-direct", "web-download", "copy-image")
    """copy-image is offered where there are several stores."""
    import_timeout_s: float = 6 * 3600.0
    """An import that takes longer fails."""
    task_lifetime_s: float = 48 * 3600.0
    """How long a finished task can be looked at."""
    convert_to: str = ""
    """raw or qcow2: what imports turn other formats into; empty: nothing is converted."""
    certificates_dir: Path = Path()
    """Trusted certificates, UUID.pem each, that images' signatures are checked with; empty: there are none."""
    download_schemes: tuple[str, ...] = ("http", "https")
    """What web-download may fetch. Besides: only from addresses of the public Internet, see download_networks."""
    download_hosts: tuple[str, ...] = ()
    """Empty: any host that is not in download_hosts_denied."""
    download_hosts_denied: tuple[str, ...] = ()
    download_ports: tuple[str, ...] = ("80", "443")
    download_networks: tuple[str, ...] = ()
    """Networks beside the public Internet, as 10.1.0.0/16, that web-download may fetch from."""
    download_idle_s: float = 30.0
    """A server that sends nothing for so long is given up."""


@dataclass(frozen=True, slots=True)
class Network:
    datapath: str = "auto"
    """kernel, netdev (userspace), or auto: kernel where the module can be loaded."""
    encapsulation: str = "vxlan"
    integration_bridge: str = "br-int"
    external_bridge: str = "br-ex"
    underlay_mtu: int = 1500
    device_prefix: str = "cs"
    """Start of the names of all devices and namespaces that this cloud makes; at most 3 characters."""
    provider_name: str = "physnet1"
    """Name of the physical network that the external bridge carries."""
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
        name = self.public_name
        host = f"[{name}]" if ":" in name else name
        return f"{'https' if self.tls else 'http'}://{host}:{self.api.port}"

    @property
    def api_address(self) -> tuple[str, int]:
        """Where this machine itself reaches the APIs, whatever their public name leads to."""
        return EVERYWHERE.get(self.api.host, self.api.host), self.api.port

    @property
    def external_device(self) -> str:
        """The machine's own device toward the provider networks."""
        return f"{self.cloud.namespace}-ex" if self.cloud.namespace else self.network.external_bridge

    @property
    def northbound(self) -> str:
        return f"unix:{self.run / 'ovn' / 'nb.sock'}"

    @property
    def southbound(self) -> str:
        return f"unix:{self.run / 'ovn' / 'sb.sock'}"

    @property
    def open_vswitch(self) -> str:
        return f"unix:{self.run / 'ovs' / 'db.sock'}"

    @property
    def libvirt_uri(self) -> str:
        return f"qemu+unix:///system?socket={self.run / 'libvirt' / 'libvirt-sock'}"

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
        return Config()
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the settings file {path} cannot be read: {error}") from error
    return parse(data, path)


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
    if identity.limit_model not in LIMIT_MODELS:
        raise ConfigError(
            f"{path}: [identity] limit_model = {identity.limit_model!r}: one of {', '.join(LIMIT_MODELS)}"
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

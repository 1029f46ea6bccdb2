"""The longer sections of the settings: [hosts], [identity], [image]."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Hosts:
    """Several hosts: docs/guide/hosts.md."""

    address: str = ""
    """Address of this machine at which its other hosts reach it, and the end of its tunnels; empty: it has no others."""
    port: int = 8801
    """Where the control plane answers the agents of other hosts, with mutual TLS."""
    southbound_port: int = 6642
    """Where OVN's southbound database answers other hosts, with mutual TLS."""
    databases: tuple[str, ...] = ()
    """Addresses of the three (or five) hosts that keep OVN's databases as a cluster, this machine's own among them;
    empty: this machine alone keeps them."""
    northbound_port: int = 6641
    northbound_cluster_port: int = 6643
    southbound_cluster_port: int = 6644
    southbound_member_port: int = 6645
    """Where the machines of that cluster, and nobody else, reach the databases and agree with each other."""
    control: str = ""
    """Address of the control plane; `host join` writes it. Empty: this machine is the control plane."""


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
    import_methods: tuple[str, ...] = ("glance-direct", "web-download", "copy-image", "glance-download")
    """copy-image is offered where there are several stores."""
    glance_download_properties: tuple[str, ...] = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
    """Beginnings of the names of custom properties that glance-download brings along."""
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

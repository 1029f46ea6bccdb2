"""What a first user needs: accounts, flavors, an image, a provider network, a demo project. Safe to run again."""

from __future__ import annotations

import http.client
import ipaddress
import os
import secrets
import ssl
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import yaml

from clearsky.cli.client import Client, connect
from clearsky.config import Config
from clearsky.engines.keeper import Keeper

FLAVORS = (
    ("m1.nano", 1, 128, 1),
    ("m1.tiny", 1, 256, 1),
    ("m1.small", 1, 1024, 10),
    ("m1.medium", 2, 2048, 20),
)
DEMO_CIDR = "10.0.0.0/24"
POOL = "10.64.0.0/10"
"""Of it come the networks that `--network auto` makes for projects without one."""


def _password(config: Config, name: str) -> str:
    """Return a generated password, kept in the state directory with mode 0600."""
    path = config.state / "passwords" / name
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            # Hexadecimal: nothing that a shell or an option parser takes for its own.
            file.write(secrets.token_hex(12))
    return path.read_text(encoding="utf-8")


def prepare(config: Config) -> None:
    """Bring the database to the newest revision, and write what must be there before anybody can log in."""
    from clearsky import app  # noqa: PLC0415
    from clearsky.db import migrate  # noqa: PLC0415
    from clearsky.identity import service as identity  # noqa: PLC0415
    from clearsky.image import service as image_service  # noqa: PLC0415

    migrate.upgrade(config)
    house = app.open_house(config)
    try:
        password = _password(config, "admin")
        identity.bootstrap(
            house, admin_password=password, region=config.cloud.region, endpoint=config.endpoint
        )
        image_service.bootstrap(house)
    finally:
        house.close()


def wait_until_it_answers(config: Config, kept: Keeper, timeout_s: float = 30.0) -> None:
    """Wait for the API while somebody tries to run it; raises ClickException that names the log."""
    end = time.monotonic() + timeout_s
    while True:
        connection = connect(config, 2.0)
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return
        except ssl.SSLCertVerificationError as error:
            raise click.ClickException(
                f"the API's certificate is not good for {config.public_name}: {error.verify_message};"
                " see [api] public_name, certificate, ca"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            if name := kept.given_up():
                told = f"the {name} has ended: {kept.last_words(name):.300}; see {kept.place(name)}"
                raise click.ClickException(told) from error
            if time.monotonic() > end:
                told = f"the API does not answer at {config.endpoint}: {kept.last_words('api'):.300}; see {kept.place('api')}"
                raise click.ClickException(told) from error
            time.sleep(0.05)
        finally:
            connection.close()


def admin(config: Config) -> Client:
    return Client(config, "admin", _password(config, "admin"), "admin")


def present_admin(config: Config) -> Client:
    """Return the administrator of a cloud that is there; raises ClickException where there is none to be seen."""
    try:
        known = (config.state / "passwords" / "admin").stat().st_size > 0
    except PermissionError as error:
        raise click.ClickException("the administrator's password is root's: `sudo ./clearsky ...`") from error
    except FileNotFoundError:
        known = False
    if not known:
        raise click.ClickException(f"there is no cloud in {config.state}: `clearsky up`")
    return admin(config)


def first_resources(config: Config, admin: Client) -> None:
    """Make everything that is not there yet, through the APIs that everybody uses."""
    identity, net = "/identity/v3", "/network/v2.0"
    project = admin.ensure(
        identity, "projects", "project", {"name": "demo", "description": "For a first look"}
    )
    password = _password(config, "demo")
    user = admin.ensure(identity, "users", "user", {"name": "demo", "password": password})
    roles, _ = admin.ask("GET", f"{identity}/roles?name=member")
    admin.ask(
        "PUT", f"{identity}/projects/{project['id']}/users/{user['id']}/roles/{roles['roles'][0]['id']}"
    )
    _flavors(admin)
    pool = {
        "name": "default",
        "prefixes": [POOL],
        "default_prefixlen": 24,
        "shared": True,
        "is_default": True,
    }
    admin.ensure(net, "subnetpools", "subnetpool", pool)
    public = _public(config, admin)
    demo = Client(config, "demo", password, "demo")
    network = demo.ensure(net, "networks", "network", {"name": "demo"})
    subnet = demo.ensure(
        net, "subnets", "subnet",
        {"name": "demo", "network_id": network["id"], "ip_version": 4, "cidr": DEMO_CIDR, "dns_nameservers": list(config.network.dns_servers)},
    )  # fmt: skip
    router = demo.ensure(
        net, "routers", "router", {"name": "demo", "external_gateway_info": {"network_id": public["id"]}}
    )
    ports, _ = demo.ask("GET", f"{net}/ports?device_id={router['id']}&device_owner=network:router_interface")
    if not ports["ports"]:
        demo.ask("PUT", f"{net}/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    _open_door(demo)
    write_clouds(config)


def _flavors(admin: Client) -> None:
    found, _ = admin.ask("GET", "/compute/v2.1/flavors?is_public=none")
    have = {one["name"] for one in found["flavors"]}
    for name, vcpus, ram, disk in FLAVORS:
        if name not in have:
            admin.ask(
                "POST",
                "/compute/v2.1/flavors",
                {"flavor": {"name": name, "vcpus": vcpus, "ram": ram, "disk": disk}},
            )


def image(admin: Client, built: Path | None) -> None:
    """Make the image `tiny` from a qcow2 file; in a simulated cloud nothing boots from it, so a blank one serves."""
    found, _ = admin.ask("GET", "/image/v2/images?name=tiny")
    if any(one["status"] == "active" for one in found["images"]):
        return
    for half in found["images"]:
        admin.ask("DELETE", f"/image/v2/images/{half['id']}")
    body = {
        "name": "tiny",
        "disk_format": "qcow2" if built else "raw",
        "container_format": "bare",
        "visibility": "public",
        "os_admin_user": "clear",
        "os_distro": "debian",
    }
    made, _ = admin.ask("POST", "/image/v2/images", body)
    place = f"/image/v2/images/{made['id']}/file"
    if built is None:
        admin.ask("PUT", place, b"\0" * 1048576, "application/octet-stream")
        return
    with built.open("rb") as data:
        admin.ask("PUT", place, data, "application/octet-stream")


def _public(config: Config, admin: Client) -> dict[str, Any]:
    body = {
        "name": "public",
        "router:external": True,
        "is_default": True,
        "provider:network_type": "flat",
        "provider:physical_network": config.network.provider_name,
    }
    network = admin.ensure("/network/v2.0", "networks", "network", body)
    cidr = ipaddress.ip_network(config.network.public_cidr)
    subnet = {
        "name": "public",
        "network_id": network["id"],
        "ip_version": 4,
        "cidr": str(cidr),
        "gateway_ip": str(cidr[1]),
        "enable_dhcp": False,
    }
    admin.ensure("/network/v2.0", "subnets", "subnet", subnet)
    return network


def _open_door(demo: Client) -> None:
    """Let ssh and ping in, by a group of its own."""
    net = "/network/v2.0"
    group = demo.ensure(
        net,
        "security-groups",
        "security_group",
        {"name": "ssh-and-ping", "description": "ssh and ping from anywhere"},
    )
    rules, _ = demo.ask(
        "GET", f"{net}/security-group-rules?security_group_id={group['id']}&direction=ingress"
    )
    have = {rule["protocol"] for rule in rules["security_group_rules"]}
    for rule in ({"protocol": "icmp"}, {"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}):
        if rule["protocol"] not in have:
            body = {"security_group_id": group["id"], "direction": "ingress"} | rule
            demo.ask("POST", f"{net}/security-group-rules", {"security_group_rule": body})


# -- clouds.yaml ------------------------------------------------------------------------------------------------


def found_by_clients() -> list[Path]:
    """Return the places where openstackclient looks by itself."""
    home = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return [
        Path("clouds.yaml").absolute(),
        home / "openstack" / "clouds.yaml",
        Path("/etc/openstack/clouds.yaml"),
    ]


def _entry(config: Config, user: str, project: str) -> dict[str, Any]:
    from clearsky import certificates  # noqa: PLC0415

    auth = {
        "auth_url": f"{config.endpoint}/identity/v3",
        "username": user,
        "password": _password(config, user),
        "project_name": project,
        "user_domain_name": "Default",
        "project_domain_name": "Default",
    }
    entry = {"auth": auth, "region_name": config.cloud.region, "identity_api_version": 3}
    if (trusted := certificates.authority_file(config)) is not None:
        entry["cacert"] = str(trusted)
    return entry


def write_clouds(config: Config) -> None:
    """Put this cloud's two entries into clouds.yaml (mode 0600), leaving the others as they are."""
    path = config.cloud.clouds_file
    path.parent.mkdir(parents=True, exist_ok=True)
    data = yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else {}
    data = data if isinstance(data, dict) else {}
    clouds = data.setdefault("clouds", {})
    wanted = {
        config.cloud.name: _entry(config, "demo", "demo"),
        f"{config.cloud.name}-admin": _entry(config, "admin", "admin"),
    }
    if wanted.items() <= clouds.items():
        return
    clouds |= wanted
    _replace(path, data)


def remove_clouds(config: Config) -> None:
    """Take this cloud's entries out of clouds.yaml."""
    path = config.cloud.clouds_file
    if not path.exists():
        return
    data = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    clouds = data.get("clouds", {})
    for name in (config.cloud.name, f"{config.cloud.name}-admin"):
        clouds.pop(name, None)
    if clouds:
        _replace(path, data)
    else:
        path.unlink()
        with suppress(OSError):  # others' files are in it
            path.parent.rmdir()


def _replace(path: Path, data: dict[str, Any]) -> None:
    unfinished = path.with_name(path.name + ".new")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        yaml.safe_dump(data, file, sort_keys=False)
    unfinished.rename(path)

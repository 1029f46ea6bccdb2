"""What a server is made from, as a client asks for it: flavor, image, networks, words; checked."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import secrets
import time
import uuid
from typing import Any

from clearsky.api.call import Call
from clearsky.compute import scheduling, store
from clearsky.compute.desired import disk_of
from clearsky.compute.reconcile.place import BUILD_S
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.image import service as images
from clearsky.image.service import ImageInfo
from clearsky.network.service import PortRequest

GIB = 1 << 30
BOOTABLE = ("qcow2", "raw", "iso", "ami")
"""Formats of images that hosts start servers from; all but qcow2 are bytes as they lie on a disk."""
_FROZEN = ("id", "name", "vcpus", "ram_mib", "disk_gib", "ephemeral_gib", "swap_mib", "extra_specs")


def hostname(name: str, id: str) -> str:
    """Return a host name (RFC 1123) made from a display name, which may hold anything."""
    clean = (
        re.sub(r"[^a-z0-9-]+", "-", name.lower().replace("_", "-").replace(".", "-"))
        .strip("-")[:63]
        .strip("-")
    )
    return clean or f"server-{id}"


def flavor(call: Call, id: str) -> Any:
    """Return a flavor that the project may use."""
    with call.house.db.read() as c:
        try:
            return store.flavor(c, call.scope, id)
        except NotFound as error:
            raise Invalid(f"flavorRef = {id!r}: the flavor could not be found") from error


def frozen(flavor: Any) -> dict[str, Any]:
    """Return a server's own copy of its flavor, which may change or go."""
    return {field: getattr(flavor, field) for field in _FROZEN}


def image(call: Call, id: str, field: str) -> ImageInfo:
    """Return an active image that the project may see."""
    try:
        uuid.UUID(id)
        found = images.get(call.house, id, call.scope)
    except (ValueError, NotFound) as error:
        raise Invalid(
            f"{field} = {id!r:.80}: the image could not be found. A server needs one to boot from."
        ) from error
    if found.status != "active":
        raise Invalid(f"Image {found.id} is not active: it is {found.status}.")
    if found.disk_format not in BOOTABLE:
        raise Invalid(
            f"Image {found.id} has the disk format {found.disk_format}: servers start from {', '.join(BOOTABLE)}. "
            "Convert it first (qemu-img convert -O qcow2), or import it where [image] convert_to is set."
        )
    return found


def fits(flavor: dict[str, Any], picture: ImageInfo) -> None:
    """Raise Invalid where the image needs more than the flavor has."""
    if picture.min_ram > flavor["ram_mib"]:
        raise Invalid(
            f"Flavor's memory is too small for requested image: {flavor['ram_mib']} MiB, needed are {picture.min_ram}."
        )
    if flavor["disk_gib"] and (
        picture.min_disk > flavor["disk_gib"] or picture.virtual_size > flavor["disk_gib"] * GIB
    ):
        needed = max(picture.min_disk, -(-picture.virtual_size // GIB))
        raise Invalid(
            f"Flavor's disk is too small for requested image: {flavor['disk_gib']} GiB, needed are {needed}."
        )


def networks(body: dict[str, Any]) -> Any:
    """Return what is asked of the networks: requests, "auto", "none", or None."""
    given = body.get("networks")
    if given is None or isinstance(given, str):
        return given
    requests = []
    for item in given:
        if not item.get("port") and not item.get("uuid"):
            raise Invalid("networks: each entry needs a uuid (of a network) or a port")
        if item.get("port") and item.get("fixed_ip"):
            raise Invalid(
                f"networks: port {item['port']} has its own addresses; fixed_ip cannot be given with it"
            )
        requests.append(
            PortRequest(
                None if item.get("port") else item["uuid"],
                item.get("port"),
                item.get("fixed_ip"),
                item.get("tag"),
            )
        )
    ports = [request.port_id for request in requests if request.port_id]
    if len(set(ports)) != len(ports):
        raise Invalid("networks: a port is named twice")
    return requests or None


def values(call: Call, body: dict[str, Any], flavor: Any, picture: ImageInfo) -> dict[str, Any]:
    """Return the columns of a new server, but for its networks."""
    zone, _, forced = (body.get("availability_zone") or "").partition(":")
    forced = forced or body.get("host") or body.get("hypervisor_hostname") or ""
    if forced and not call.may("os_compute_api:servers:admin_attributes"):
        raise Forbidden("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
    if zone or forced:
        _has_place(call, zone, forced)
    allowed = call.house.config.quota.metadata_items
    if len(body.get("metadata", {})) > allowed:
        raise Forbidden(f"Quota exceeded: metadata has {len(body['metadata'])} items, {allowed} are allowed")
    name = body["name"].strip()
    described_as = {"description": name if call.version < (2, 19) else None, "hostname": ""}
    return (
        described_as
        | described(call, body)
        | {
            "project_id": call.caller.project_id or "",
            "user_id": call.caller.user_id,
            "request_id": call.request_id,
            "reservation_id": f"r-{secrets.token_hex(4)}",
            "image_id": picture.id,
            "image_properties": picture.properties,
            "disk": disk_of(picture),
            "flavor": frozen(flavor),
            "vcpus": flavor.vcpus,
            "ram_mib": flavor.ram_mib,
            "key_name": body.get("key_name"),
            "public_key": key(call, body.get("key_name")),
            "user_data": user_data(body.get("user_data")),
            "config_drive": str(body.get("config_drive")).lower() in ("true", "1", "yes", "on", "t", "y"),
            "metadata": body.get("metadata", {}),
            "tags": list(dict.fromkeys(body.get("tags", []))),
            "availability_zone": zone or None,
            "forced_host": forced or None,
            "task_state": "scheduling",
            "deadline_at": time.time() + BUILD_S,
        }
    )


def described(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns that only describe a server, as far as the body names them."""
    named: dict[str, Any] = {name: body[name] for name in ("description", "hostname") if name in body}
    if "OS-DCF:diskConfig" in body:
        named["disk_config"] = body["OS-DCF:diskConfig"]
    if "name" in body:
        named["name"] = body["name"].strip()
    return named | {
        column: plain_address(body[field])
        for field, column in (("accessIPv4", "access_ip_v4"), ("accessIPv6", "access_ip_v6"))
        if field in body
    }


def _has_place(call: Call, zone: str, forced: str) -> None:
    with call.house.db.read() as c:
        if zone and zone not in scheduling.zone_names(c):
            raise Invalid(f"The requested availability zone is not available: {zone!r:.80}")
        if forced and store.host(c, forced) is None:
            raise Invalid(f"Compute host {forced} could not be found.")


def key(call: Call, name: str | None) -> str | None:
    """Return the public key of one of the user's keypairs."""
    if not name:
        return None
    with call.house.db.read() as c:
        try:
            return str(store.keypair(c, call.caller.user_id, name).public_key)
        except NotFound as error:
            raise Invalid(f"key_name = {name!r}: Invalid key_name provided.") from error


def user_data(text: str | None) -> str | None:
    """Return user data as base64 without white space."""
    if text is None:
        return None
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("Invalid input for field/attribute user_data: it must be base64-encoded") from error
    return "".join(text.split())


def plain_address(text: str | None) -> str:
    """Return an address, checked by the schema, in its shortest form."""
    return str(ipaddress.ip_address(text)) if text else ""

"""Actions that change what a server is made from: rescue, rebuild, resize, shelve, and images of its disk."""

from __future__ import annotations

import secrets
import time
import uuid
from typing import Any

from sqlalchemy import insert

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api import creating, quotas
from clearsky.compute.api.actions import ACTION, NOTHING, change, unlocked
from clearsky.compute.api.render import details
from clearsky.compute.desired import disk_of
from clearsky.compute.reconcile.place import BUILD_S, COPY_S
from clearsky.compute.schema import servers as schema
from clearsky.compute.schema.servers import action, holding
from clearsky.errors import Forbidden, Invalid
from clearsky.image import service as image

routes = Routes()


# -- rescue -----------------------------------------------------------------------------------------------------


@routes.post(
    ACTION,
    rule="os_compute_api:os-rescue",
    action="rescue",
    request=schema.RESCUE,
    response=holding("adminPass"),
)
def rescue_server(call: Call) -> Reply:
    """Boot a server from another disk, with its own as the second one."""
    asked = call.body["rescue"] or {}
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    picture = creating.image(call, asked.get("rescue_image_ref") or row.image_id or "", "rescue_image_ref")
    values = {"desired": "running", "rescue": disk_of(picture, call.request_id)}
    change(call, "rescue", ("active", "stopped", "error"), values, "rescuing", BUILD_S)
    return Reply({"adminPass": asked.get("adminPass") or secrets.token_urlsafe(9)})


@routes.post(
    ACTION,
    rule="os_compute_api:os-unrescue",
    action="unrescue",
    status=202,
    request=action("unrescue", NOTHING),
)
def unrescue_server(call: Call) -> Reply:
    """Boot a rescued server from its own disk again."""
    values = {"desired": "running", "rescue": None}
    return change(call, "unrescue", ("rescued",), values, "unrescuing", BUILD_S)


# -- rebuild ----------------------------------------------------------------------------------------------------


@routes.post(
    ACTION,
    rule="os_compute_api:servers:rebuild",
    action="rebuild",
    status=202,
    request=schema.REBUILD,
    response=schema.CHANGED,
)
def rebuild_server(call: Call) -> Reply:
    """Make a server's disk anew from an image; its ports, addresses and id stay."""
    body = call.body["rebuild"]
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
    picture = creating.image(call, body["imageRef"], "imageRef")
    creating.fits(row.flavor, picture)
    values: dict[str, Any] = {
        "image_id": picture.id,
        "image_properties": picture.properties,
        "disk": disk_of(picture, call.request_id),
        "rescue": None,
        "desired": "shutdown" if row.vm_state == "stopped" else "running",
    }
    values |= creating.described(call, body)
    if "metadata" in body:
        allowed = call.house.config.quota.metadata_items
        if len(body["metadata"]) > allowed:
            raise Forbidden(
                f"Quota exceeded: metadata has {len(body['metadata'])} items, {allowed} are allowed"
            )
        values["metadata"] = body["metadata"]
    if "key_name" in body:
        values |= {"key_name": body["key_name"], "public_key": creating.key(call, body["key_name"])}
    if "user_data" in body:
        values["user_data"] = creating.user_data(body["user_data"])
    change(call, "rebuild", ("active", "stopped", "error"), values, "rebuilding", BUILD_S)
    with call.house.db.read() as c:
        row = store.server(c, call.scope, row.id)
        shown = details(c, [row], call, brief=call.version < (2, 75))[0]
    if call.version >= (2, 54):
        shown["key_name"] = row.key_name
    if call.version >= (2, 57):
        shown["user_data"] = row.user_data
        shown.pop("OS-EXT-SRV-ATTR:user_data", None)
    shown["adminPass"] = body.get("adminPass") or secrets.token_urlsafe(9)
    return Reply({"server": shown}, headers={"Location": f"{call.base_url}/v2.1/servers/{row.id}"})


# -- resize -----------------------------------------------------------------------------------------------------


@routes.post(ACTION, rule="os_compute_api:servers:resize", action="resize", status=202, request=schema.RESIZE)
def resize_server(call: Call) -> Reply:
    """Give a server another flavor; to be confirmed, or reverted."""
    flavor = creating.flavor(call, str(call.body["resize"]["flavorRef"]))
    with call.house.db.write() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, "resize", ("active", "stopped"))
        _may_become(row.flavor, flavor)
        more = {"cores": flavor.vcpus - row.vcpus, "ram": flavor.ram_mib - row.ram_mib}
        wanted = {name: n for name, n in more.items() if n > 0}
        quotas.check(c, call.house, row.project_id, wanted, row.user_id)
        token, now = str(uuid.uuid4()), time.time()
        migration = {
            "uuid": token, "server_id": row.id, "project_id": call.caller.project_id or "", "user_id": call.caller.user_id,
            "type": "resize", "status": "pre-migrating", "source": row.host, "target": row.host,
            "old_flavor_id": row.flavor["id"], "new_flavor_id": flavor.id, "created_at": now, "updated_at": now,
        }  # fmt: skip
        made = c.execute(insert(t.migrations).values(**migration).returning(t.migrations.c.id)).scalar_one()
        step = {
            "step": "claim", "token": token, "migration_id": made, "flavor": creating.frozen(flavor),
            "old": row.flavor, "before": row.vm_state,
        }  # fmt: skip
        store.begin_action(c, row, "resize", call.request_id, call.caller.user_id, row.project_id)
        values = {"resize": step, "task_state": "resize_prep", "deadline_at": now + BUILD_S}
        values |= creating.described(call, call.body["resize"])
        store.want(c, row, values, request_id=call.request_id)
    return Reply()


def _may_become(old: dict[str, Any], new: Any) -> None:
    if old["id"] == new.id:
        raise Invalid("When resizing, instances must change flavor! flavorRef is the one that it has.")
    for name, column in (("disk", "disk_gib"), ("ephemeral", "ephemeral_gib")):
        if getattr(new, column) < old[column]:
            raise Invalid(
                f"Resize of a disk to a smaller one is not possible: {name} is {old[column]} GiB, "
                f"flavor {new.name} has {getattr(new, column)}."
            )


@routes.post(
    ACTION,
    rule="os_compute_api:servers:confirm_resize",
    action="confirmResize",
    status=204,
    request=action("confirmResize", NOTHING),
)
def confirm_resize(call: Call) -> Reply:
    """Keep a resized server as it is now."""
    return _decide(call, "confirmResize", "confirm", None)


@routes.post(
    ACTION,
    rule="os_compute_api:servers:revert_resize",
    action="revertResize",
    status=202,
    request=action("revertResize", NOTHING),
)
def revert_resize(call: Call) -> Reply:
    """Give a resized server its old flavor and disk again."""
    return _decide(call, "revertResize", "revert", "resize_reverting")


def _decide(call: Call, name: str, step: str, task: str | None) -> Reply:
    with call.house.db.write() as c:
        row = unlocked(call, store.server(c, call.scope, call.params["server_id"]))
        store.no_conflict(row, name, ("resized",))
        store.begin_action(c, row, name, call.request_id, call.caller.user_id, row.project_id)
        values: dict[str, Any] = {"resize": row.resize | {"step": step}, "task_state": task}
        values["deadline_at"] = time.time() + BUILD_S
        if step == "revert":
            old = row.resize["old"]
            values |= {"flavor": old, "vcpus": old["vcpus"], "ram_mib": old["ram_mib"]}
        store.want(c, row, values, request_id=call.request_id)
    return Reply()


@routes.post(
    ACTION,
    rule="os_compute_api:os-deferred-delete:restore",
    action="restore",
    status=202,
    request=action("restore", NOTHING),
)
def restore_server(call: Call) -> Reply:
    """Bring a deleted server back while it is not reclaimed: here that is at once, so there never is one."""
    with call.house.db.read() as c:
        store.no_conflict(store.server(c, call.scope, call.params["server_id"]), "restore", ("soft-delete",))
    return Reply()


# -- images of the disk -----------------------------------------------------------------------------------------


def _reserved(call: Call, row: Any, name: str, properties: dict[str, str]) -> str:
    """Reserve the image that a copy of the server's disk will fill."""
    inherited = {key: value for key, value in row.image_properties.items() if len(str(value)) <= 255}
    told = {"instance_uuid": row.id, "user_id": call.caller.user_id, "base_image_ref": row.image_id or ""}
    base = image.for_host(call.house, {row.image_id}).get(row.image_id)
    return image.reserve(
        call.house,
        owner=row.project_id,
        name=name,
        properties=inherited | {"image_type": "snapshot"} | told | properties,
        min_disk=row.flavor["disk_gib"],
        min_ram=base.min_ram if base else 0,
    )


def _copy(call: Call, verb: str, name: str, properties: dict[str, str], **more: Any) -> str:
    states = ("active", "stopped", "paused", "suspended")
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        store.no_conflict(unlocked(call, row), verb, states)
    image_id = _reserved(call, row, name, properties)
    values = {"snapshot": {"image_id": image_id, "token": call.request_id, "then": "stay"} | more}
    task = "image_backup" if verb == "createBackup" else "image_snapshot"
    try:
        change(call, verb, states, values, task, COPY_S)
    except BaseException:
        image.discard(call.house, image_id)
        raise
    return image_id


@routes.post(
    ACTION,
    rule="os_compute_api:servers:create_image",
    action="createImage",
    status=202,
    request=schema.CREATE_IMAGE,
)
def create_image(call: Call) -> Reply:
    """Make an image of a server's disk."""
    asked = call.body["createImage"]
    _few_enough(call, asked.get("metadata", {}))
    return _told(call, _copy(call, "createImage", asked["name"].strip(), asked.get("metadata", {})))


@routes.post(
    ACTION,
    rule="os_compute_api:os-create-backup",
    action="createBackup",
    status=202,
    request=schema.CREATE_BACKUP,
)
def create_backup(call: Call) -> Reply:
    """Make an image of a server's disk, and remove the oldest of its kind over `rotation`."""
    asked = call.body["createBackup"]
    _few_enough(call, asked.get("metadata", {}))
    kind, rotation = asked["backup_type"], int(asked["rotation"])
    properties = asked.get("metadata", {}) | {"image_type": "backup", "backup_type": kind}
    name = asked["name"].strip()
    return _told(call, _copy(call, "createBackup", name, properties, rotate=[kind, rotation]))


def _few_enough(call: Call, metadata: dict[str, str]) -> None:
    allowed = call.house.config.quota.metadata_items
    if len(metadata) > allowed:
        raise Forbidden(f"Quota exceeded: metadata has {len(metadata)} items, {allowed} are allowed")


def _told(call: Call, image_id: str) -> Reply:
    root = call.base_url.removesuffix("/compute")
    headers = {"Location": f"{root}/image/v2/images/{image_id}"}
    return Reply({"image_id": image_id} if call.version >= (2, 45) else None, 202, headers)


# -- shelve -----------------------------------------------------------------------------------------------------


@routes.post(
    ACTION,
    rule="os_compute_api:os-shelve:shelve",
    action="shelve",
    status=202,
    request=action("shelve", NOTHING),
)
def shelve_server(call: Call) -> Reply:
    """Keep a server as an image, and free what it held on its host."""
    states = ("active", "stopped", "paused", "suspended")
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        store.no_conflict(unlocked(call, row), "shelve", states)
    image_id = _reserved(call, row, f"{row.name[:247]}-shelved", {})
    kept = {"image_id": image_id, "token": call.request_id, "then": "shelve", "before": row.desired}
    values = {"desired": "shelved", "snapshot": kept}
    try:
        return change(call, "shelve", states, values, "shelving", COPY_S)
    except BaseException:
        image.discard(call.house, image_id)
        raise


@routes.post(
    ACTION,
    rule="os_compute_api:os-shelve:unshelve",
    action="unshelve",
    status=202,
    request=schema.UNSHELVE,
)
def unshelve_server(call: Call) -> Reply:
    """Build a shelved server again from its image."""
    asked = call.body["unshelve"] or {}
    values: dict[str, Any] = {"desired": "running"}
    if asked and asked.get("host"):
        call.authorize("os_compute_api:os-shelve:unshelve_to_host")
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        store.no_conflict(unlocked(call, row), "unshelve", ("shelved_offloaded",))
        if "availability_zone" in asked:
            zone = asked["availability_zone"]
            if zone is not None and zone not in scheduling.zone_names(c):
                raise Invalid(f"The requested availability zone is not available: {zone!r:.80}")
            values["availability_zone"] = zone
        if "host" in asked:
            if store.host(c, asked["host"]) is None:
                raise Invalid(f"Compute host {asked['host']} could not be found.")
            values["forced_host"] = asked["host"]
    picture = image.get(call.house, row.shelf["image_id"], None)
    values["disk"] = disk_of(picture, call.request_id)
    return change(call, "unshelve", ("shelved_offloaded",), values, "unshelving", BUILD_S)

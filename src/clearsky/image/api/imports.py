"""Imports: data that is staged, on the web or in another store becomes an image's. The work is a task."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.image import download, other_service, quotas, service, store
from clearsky.image.schema import imports as shapes
from clearsky.image.schema import stores as store_shapes
from clearsky.image.store import tasks
from clearsky.work.queue import enqueue

routes = Routes()
_BEFORE = {
    "glance-direct": "uploading",
    "web-download": "queued",
    "copy-image": "active",
    "glance-download": "queued",
}
"""Import method -> the status that it starts from."""
_OTHER_SERVICE = ("glance_image_id", "glance_region", "glance_service_interface")


def methods(call: Call) -> list[str]:
    """Return the import methods that can be had here."""
    single = len(service.stores(call.house).names) < 2
    wanted = call.house.config.image.import_methods
    return [name for name in wanted if name in _BEFORE and not (single and name == "copy-image")]


@routes.get("/v2/info/import", rule="get_images", response=store_shapes.IMPORT_INFO)
def show_import_info(call: Call) -> Reply:
    """Show the import methods."""
    value = {"description": "Import methods available.", "type": "array", "value": methods(call)}
    return Reply({"import-methods": value})


@routes.post(
    "/v2/images/{image_id}/import", rule="modify_image", gate="get_image", status=202, request=shapes.IMPORT
)
def import_image(call: Call) -> Reply:
    """Begin to import an image's data."""
    method = call.body["method"]["name"]
    if method not in methods(call):
        raise Invalid(f"Unknown import method name {method!r}; there are: {', '.join(methods(call))}")
    source = _web(call, method) | _other_service(call, method)
    wanted = _stores(call)
    with call.house.db.read() as c:
        owner = store.get(c, call.scope, call.params["image_id"]).owner
    call.authorize("copy_image" if method == "copy-image" else "modify_image", project_id=owner)
    allowed = quotas.limits(call.house, owner)
    with call.house.db.write() as c:
        row = store.get(c, call.scope, call.params["image_id"])
        stores = _place(call, row, method, wanted)
        _may_begin(c, row, method)
        quotas.enforce(c, owner, allowed, _more(row, method, len(stores)))
        plan = {
            "method": method,
            "stores": stores,
            "all_must_succeed": call.body.get("all_stores_must_succeed", True),
        } | source
        begin(call, c, row, plan, "api_image_import", {"import_req": call.body})
    return Reply()


def _web(call: Call, method: str) -> dict[str, Any]:
    uri = call.body["method"].get("uri")
    if method == "web-download":
        if not uri:
            raise Invalid("The import method web-download needs the member 'uri'")
        download.check(uri, call.house.config.image)
    elif uri is not None:
        raise Invalid(f"'uri' does not belong to the import method {method}")
    return {"uri": uri}


def _other_service(call: Call, method: str) -> dict[str, Any]:
    """Return what glance-download needs: which image of which region, and who asks."""
    given = {name: call.body["method"][name] for name in _OTHER_SERVICE if name in call.body["method"]}
    if method != "glance-download":
        if given:
            raise Invalid(f"{', '.join(given)}: does not belong to the import method {method}")
        return {}
    for name in _OTHER_SERVICE[:2]:
        if name not in given:
            raise Invalid(f"The import method glance-download needs the member {name!r}")
    try:
        image_id = str(uuid.UUID(given["glance_image_id"]))
    except ValueError as error:
        raise Invalid(
            f"glance_image_id {given['glance_image_id']!r:.80}: this image id does not look like a UUID"
        ) from error
    return {
        "image_id": image_id,
        "region": given["glance_region"],
        "interface": given.get("glance_service_interface", "public"),
        "token": other_service.seal(call.house, call.token),
    }


def _stores(call: Call) -> list[str] | None:
    """Return the stores that the client names; None: all."""
    known = service.stores(call.house)
    header = call.headers.get("x-image-meta-store")
    named = call.body.get("stores")
    if call.body.get("all_stores"):
        if named or header:
            raise Invalid("all_stores excludes stores and x-image-meta-store: give one of them")
        return None
    wanted = list(dict.fromkeys(named or [header or known.default]))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise Conflict(f"There is no store {', '.join(unknown)!r:.200}; there are: {', '.join(known.names)}")
    return wanted


def _place(call: Call, row: Any, method: str, wanted: list[str] | None) -> list[str]:
    stores = service.stores(call.house).names if wanted is None else wanted
    if method != "copy-image":
        return stores
    there = [name for name in stores if name in row.stores]
    if there and wanted is not None:
        raise Invalid(f"Image {row.id} is already present in store {', '.join(there)}")
    return [name for name in stores if name not in there]


def _may_begin(c: Connection, row: Any, method: str) -> None:
    if row.status != _BEFORE[method] or tasks.under_way(c, row.id):
        busy = " and another import is under way" if tasks.under_way(c, row.id) else ""
        raise Conflict(
            f"Image {row.id} is {row.status}{busy}: {method} starts from an image that is {_BEFORE[method]}"
        )
    for name in ("container_format", "disk_format"):
        if not getattr(row, name) and method != "glance-download":
            raise Invalid(f"'{name}' needs to be set before import")
    if method == "glance-direct" and row.size is None:
        raise Conflict(f"The data of image {row.id} is still being staged")


def _more(row: Any, method: str, stores: int) -> dict[str, int]:
    """Return what an import adds to the project's usage, as far as it is known before."""
    more = dict.fromkeys(quotas.NAMES, 0)
    more[quotas.SIZE_TOTAL] = stores * -(-(row.size or 0) // (1 << 20))
    if method in ("web-download", "glance-download"):
        more[quotas.COUNT_UPLOADING] = 1
    return more


def begin(
    call: Call, c: Connection, row: Any, plan: dict[str, Any], type_: str, given: dict[str, Any]
) -> Any:
    """Write down what is wanted: the task, the image's state, the work."""
    values: dict[str, Any] = {"import_state": {"left": plan["stores"], "failed": []}}
    if plan["method"] != "copy-image":
        values["status"] = "importing"
    store.change(c, row.id, values)
    task = tasks.create(
        c,
        {
            "id": str(uuid.uuid4()),
            "type": type_,
            "image_id": row.id,
            "owner": call.caller.project_id or "",
            "user_id": call.caller.user_id,
            "request_id": call.request_id,
            "input": {"image_id": row.id} | given,
            "plan": plan,
            "deadline_at": time.time() + call.house.config.image.import_timeout_s,
        },
    )
    enqueue(c, "image_import", task.id, request_id=call.request_id)
    return task

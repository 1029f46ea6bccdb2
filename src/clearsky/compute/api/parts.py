"""What belongs to one server: addresses, metadata, tags, and what was asked of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api.render import addresses, iso
from clearsky.compute.schema import servers as schema
from clearsky.compute.schema.servers import holding
from clearsky.errors import Forbidden, Invalid, NotFound
from clearsky.network import service as network
from clearsky.work import journal
from clearsky.work.queue import bump_host

routes = Routes()
_ONE = "/v2.1/servers/{server_id}"


def server(call: Call) -> Any:
    """Return the server that the path names."""
    with call.house.db.read() as c:
        return store.server(c, call.scope, call.params["server_id"])


@routes.get(_ONE + "/ips", rule="os_compute_api:ips:index", response=holding("addresses"))
def list_addresses(call: Call) -> Reply:
    """List a server's addresses by network."""
    return Reply(
        {"addresses": addresses(network.ports_of_server(call.house, server(call).id), extended=False)}
    )


@routes.get(_ONE + "/ips/{network}", rule="os_compute_api:ips:index", response=schema.holding())
def show_addresses(call: Call) -> Reply:
    """List a server's addresses on one network."""
    found = addresses(network.ports_of_server(call.house, server(call).id), extended=False)
    name = call.params["network"]
    if name not in found:
        raise NotFound(f"Server {call.params['server_id']} has no network named {name!r:.80}")
    return Reply({name: found[name]})


# -- metadata ---------------------------------------------------------------------------------------------------


def _metadata(call: Call, change: Any) -> dict[str, str]:
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        changed: dict[str, str] = change(dict(row.metadata))
        allowed = call.house.config.quota.metadata_items
        if len(changed) > allowed:
            raise Forbidden(
                f"Quota exceeded: metadata would have {len(changed)} items, {allowed} are allowed"
            )
        store.change(c, row.id, {"metadata": changed})
        if row.host:
            bump_host(c, row.host)
    return changed


@routes.get(_ONE + "/metadata", rule="os_compute_api:server-metadata:index", response=holding("metadata"))
def list_metadata(call: Call) -> Reply:
    """List a server's metadata."""
    return Reply({"metadata": server(call).metadata})


@routes.put(
    _ONE + "/metadata",
    rule="os_compute_api:server-metadata:change",
    request=schema.METADATA_BODY,
    response=holding("metadata"),
)
def replace_metadata(call: Call) -> Reply:
    """Replace a server's metadata."""
    return Reply({"metadata": _metadata(call, lambda _: call.body["metadata"])})


@routes.post(
    _ONE + "/metadata",
    rule="os_compute_api:server-metadata:change",
    request=schema.METADATA_BODY,
    response=holding("metadata"),
)
def update_metadata(call: Call) -> Reply:
    """Add to a server's metadata."""
    return Reply({"metadata": _metadata(call, lambda old: old | call.body["metadata"])})


@routes.get(_ONE + "/metadata/{key}", rule="os_compute_api:server-metadata:index", response=holding("meta"))
def show_metadata_item(call: Call) -> Reply:
    """Show one item of a server's metadata."""
    found, key = server(call).metadata, call.params["key"]
    if key not in found:
        raise NotFound("Metadata item was not found")
    return Reply({"meta": {key: found[key]}})


@routes.put(
    _ONE + "/metadata/{key}",
    rule="os_compute_api:server-metadata:change",
    request=schema.METADATA_ITEM,
    response=holding("meta"),
)
def set_metadata_item(call: Call) -> Reply:
    """Set one item of a server's metadata."""
    if call.params["key"] not in call.body["meta"]:
        raise Invalid("Request body and URI mismatch: meta must hold the key of the path")
    _metadata(call, lambda old: old | call.body["meta"])
    return Reply({"meta": call.body["meta"]})


@routes.delete(_ONE + "/metadata/{key}", rule="os_compute_api:server-metadata:change")
def delete_metadata_item(call: Call) -> Reply:
    """Remove one item of a server's metadata."""

    def change(old: dict[str, str]) -> dict[str, str]:
        if old.pop(call.params["key"], None) is None:
            raise NotFound("Metadata item was not found")
        return old

    _metadata(call, change)
    return Reply()


# -- tags -------------------------------------------------------------------------------------------------------


def _tags(call: Call, change: Any) -> list[str]:
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        changed: list[str] = change(list(row.tags))
        if len(changed) > 50:
            raise Invalid(f"A server has at most 50 tags; it would have {len(changed)}")
        store.change(c, row.id, {"tags": changed})
    return changed


@routes.get(_ONE + "/tags", rule="os_compute_api:os-server-tags:index", response=schema.TAGS, since=(2, 26))
def list_tags(call: Call) -> Reply:
    """List a server's tags."""
    return Reply({"tags": server(call).tags})


@routes.put(
    _ONE + "/tags",
    rule="os_compute_api:os-server-tags:change",
    request=schema.TAGS,
    response=schema.TAGS,
    since=(2, 26),
)
def replace_tags(call: Call) -> Reply:
    """Replace a server's tags."""
    return Reply({"tags": _tags(call, lambda _: list(dict.fromkeys(call.body["tags"])))})


@routes.delete(_ONE + "/tags", rule="os_compute_api:os-server-tags:change", since=(2, 26))
def delete_tags(call: Call) -> Reply:
    """Remove all tags of a server."""
    _tags(call, lambda _: [])
    return Reply()


@routes.get(_ONE + "/tags/{tag}", rule="os_compute_api:os-server-tags:index", status=204, since=(2, 26))
def check_tag(call: Call) -> Reply:
    """Say whether a server has a tag."""
    if call.params["tag"] not in server(call).tags:
        raise NotFound(f"Server {call.params['server_id']} has no tag '{call.params['tag']:.60}'")
    return Reply()


@routes.put(_ONE + "/tags/{tag}", rule="os_compute_api:os-server-tags:change", status=204, since=(2, 26))
def add_tag(call: Call) -> Reply:
    """Add a tag to a server."""
    tag = call.params["tag"]
    if not 0 < len(tag) <= 60 or "," in tag or "/" in tag:
        raise Invalid(f"Invalid input for tag {tag!r:.80}: 1 to 60 characters without comma and slash")
    there = tag in server(call).tags
    _tags(call, lambda old: list(dict.fromkeys([*old, tag])))
    place = f"{call.base_url}/v2.1/servers/{call.params['server_id']}/tags/{tag}"
    return Reply(None, 204 if there else 201, {} if there else {"Location": place})


@routes.delete(_ONE + "/tags/{tag}", rule="os_compute_api:os-server-tags:change", since=(2, 26))
def delete_tag(call: Call) -> Reply:
    """Remove a tag of a server."""
    tag = call.params["tag"]

    def change(old: list[str]) -> list[str]:
        if tag not in old:
            raise NotFound(f"Server {call.params['server_id']} has no tag '{tag:.60}'")
        return [one for one in old if one != tag]

    _tags(call, change)
    return Reply()


# -- actions ----------------------------------------------------------------------------------------------------


def _action(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "action": row.action,
        "instance_uuid": row.server_id,
        "request_id": row.request_id,
        "user_id": row.user_id,
        "project_id": row.project_id,
        "start_time": iso(row.started_at, fraction=True),
        "message": row.message,
    }
    return shown | ({"updated_at": iso(row.updated_at, fraction=True)} if call.version >= (2, 58) else {})


@routes.get(
    _ONE + "/os-instance-actions",
    rule="os_compute_api:os-instance-actions:list",
    response=holding("instanceActions"),
)
def list_actions(call: Call) -> Reply:
    """List what was asked of a server, newest first; also of a deleted one."""
    a = t.actions.c
    with call.house.db.read() as c:
        found = store.server(c, call.scope, call.params["server_id"], deleted=call.version >= (2, 21))
        rows = list(c.execute(select(t.actions).where(a.server_id == found.id).order_by(a.started_at.desc())))
    return Reply({"instanceActions": [_action(call, row) for row in rows]})


@routes.get(
    _ONE + "/os-instance-actions/{request_id}",
    rule="os_compute_api:os-instance-actions:list",
    response=holding("instanceAction"),
)
def show_action(call: Call) -> Reply:
    """Show one request with the steps that were taken for it."""
    a = t.actions.c
    with call.house.db.read() as c:
        found = store.server(c, call.scope, call.params["server_id"], deleted=call.version >= (2, 21))
        row = c.execute(
            select(t.actions).where(a.server_id == found.id, a.request_id == call.params["request_id"])
        ).first()
    if row is None:
        raise NotFound(
            f"Action for request_id {call.params['request_id']:.80} on instance {found.id} not found"
        )
    shown = _action(call, row)
    if call.scope is None or call.version >= (2, 51):
        steps = [step for step in journal.of(call.house.db, row.request_id) if step.resource_id == found.id]
        shown["events"] = [_event(call, step) for step in steps]
    return Reply({"instanceAction": shown})


def _event(call: Call, step: journal.StepRecord) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "event": step.step,
        "start_time": iso(step.started_at, fraction=True),
        "finish_time": iso(step.started_at + step.duration_s, fraction=True),
        "result": "Success" if step.outcome == "ok" else "Error",
    }
    if call.scope is None:
        shown["traceback"] = step.detail if step.outcome != "ok" else None
    if call.version >= (2, 62):
        shown["hostId"] = ""
        if call.scope is None:
            shown["host"] = step.host
    if call.version >= (2, 84):
        shown["details"] = step.detail or None
    return shown

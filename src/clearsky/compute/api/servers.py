"""Servers: create, list, show, update, delete."""

from __future__ import annotations

import secrets
import time
import uuid
from dataclasses import asdict
from typing import Any

from sqlalchemy import insert

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import groups, scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api import creating, filters, quotas
from clearsky.compute.api.render import details, links, next_link
from clearsky.compute.schema import servers as schema
from clearsky.db.engine import lock
from clearsky.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from clearsky.network import service as network
from clearsky.work.queue import bump_host, enqueue

routes = Routes()
_SERVERS = "/v2.1/servers"
_ONE = _SERVERS + "/{server_id}"


@routes.post(
    _SERVERS,
    rule="os_compute_api:servers:create",
    status=202,
    request=schema.CREATE,
    response=schema.CREATED,
    since=(2, 37),
)
@routes.post(
    _SERVERS,
    rule="os_compute_api:servers:create",
    status=202,
    request=schema.CREATE_BEFORE_2_37,
    response=schema.CREATED,
    until=(2, 36),
)
def create_server(call: Call) -> Reply:
    """Create one server or several."""
    body = call.body["server"]
    least = int(body.get("min_count", 1))
    most = int(body.get("max_count", least))
    if least > most:
        raise Invalid(f"min_count = {least} must be <= max_count = {most}")
    block = body.get("block_device_mapping_v2", [{}])[0]
    flavor = creating.flavor(call, str(body["flavorRef"]))
    picture = creating.image(call, body.get("imageRef") or block.get("uuid") or "", "imageRef")
    creating.fits(creating.frozen(flavor), picture)
    plan = _plan(call, body, most)
    base = creating.values(call, body, flavor, picture) | {
        "plan": {
            "requests": [asdict(request) for request in plan.requests],
            "security_group_ids": list(plan.security_group_ids),
            "made": 0,
        }
    }
    base |= _hinted(call)
    count = _affordable(call, flavor, least, most)
    with call.house.db.write() as c:
        each = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram_mib}
        wanted = {name: value * count for name, value in each.items()}
        quotas.check(c, call.house, base["project_id"], wanted, base["user_id"])
        _fits_group(c, call, base, count)
        ids = [_insert(c, call, base, index, count) for index in range(count)]
    if filters.truth(body.get("return_reservation_id")):
        return Reply({"reservation_id": base["reservation_id"]})
    shown = {
        "id": ids[0],
        "links": links(call, "servers", ids[0]),
        "OS-DCF:diskConfig": body.get("OS-DCF:diskConfig", "MANUAL"),
    }
    shown["security_groups"] = [{"name": group["name"]} for group in body.get("security_groups", [])] or [
        {"name": "default"}
    ]
    shown["adminPass"] = body.get("adminPass") or secrets.token_urlsafe(9)
    return Reply({"server": shown}, headers={"Location": f"{call.base_url}{_SERVERS}/{ids[0]}"})


def _plan(call: Call, body: dict[str, Any], count: int) -> network.Plan:
    groups_named = [group["name"] for group in body.get("security_groups", [])]
    try:
        return network.plan(call.house, call.caller, creating.networks(body), groups_named, count)
    except network.NoNetwork as error:
        made = _first_network(call, error.message)
        return network.plan(call.house, call.caller, [network.PortRequest(made)], groups_named, count)
    except NotFound as error:
        raise Invalid(error.message) from error


def _first_network(call: Call, why: str) -> str:
    try:
        return network.first_network(call)
    except (Conflict, Forbidden) as error:
        raise Invalid(f"{why} {error.message}") from error


def _insert(c: Any, call: Call, base: dict[str, Any], index: int, count: int) -> str:
    id, now = str(uuid.uuid4()), time.time()
    name = base["name"] if count == 1 else f"{base['name']}-{index + 1}"
    values = base | {"id": id, "name": name, "launch_index": index, "created_at": now, "updated_at": now}
    values["hostname"] = base["hostname"] or creating.hostname(name, id)
    if base["hostname"] and count > 1:
        values["hostname"] = f"{base['hostname']}-{index + 1}"
    row = c.execute(insert(t.servers).values(**values).returning(t.servers)).one()
    store.begin_action(c, row, "create", call.request_id, call.caller.user_id, base["project_id"])
    enqueue(c, "server", id, request_id=call.request_id)
    return id


def _hinted(call: Call) -> dict[str, Any]:
    """Return what the scheduler hints say: which group, and which servers to be near to or far from."""
    hints = call.body.get("os:scheduler_hints") or call.body.get("OS-SCH-HNT:scheduler_hints") or {}
    group_id = hints.get("group")
    if group_id is not None:
        with call.house.db.read() as c:
            try:
                groups.get(c, call.caller.project_id, group_id)
            except NotFound as error:
                raise Invalid(f"os:scheduler_hints/group = {group_id!r:.80}: {error.message}") from error
    return {"scheduler_hints": hints, "group_id": group_id}


def _fits_group(c: Any, call: Call, base: dict[str, Any], count: int) -> None:
    """Raise QuotaExceeded where the server group would have too many members of this user."""
    if base["group_id"] is None:
        return
    lock(c, f"server-group:{base['group_id']}")
    allowed = quotas.limits(c, call.house, base["project_id"])["server_group_members"]
    used = groups.count_members(c, base["group_id"], call.caller.user_id)
    if 0 <= allowed < used + count:
        raise QuotaExceeded(f"Quota exceeded, too many servers in group: {used} of {allowed} are there")


def _affordable(call: Call, flavor: Any, least: int, most: int) -> int:
    """Return as many servers as quota allows, at least `least`; raises QuotaExceeded."""
    project_id = call.caller.project_id or ""
    with call.house.db.read() as c:
        allowed, used = quotas.limits(c, call.house, project_id), store.usage(c, project_id)
    each = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram_mib}
    room = [(allowed[name] - used[name]) // cost for name, cost in each.items() if allowed[name] >= 0]
    count: int = min([most, *room])
    if count < least:
        over = [name for name, cost in each.items() if 0 <= allowed[name] < used[name] + cost * least]
        told = ", ".join(
            f"{name}: requested {each[name] * least}, used {used[name]} of {allowed[name]}" for name in over
        )
        raise QuotaExceeded(f"Quota exceeded for {told}")
    return count


@routes.get(_SERVERS, rule="os_compute_api:servers:index", response=schema.INDEX)
def list_servers(call: Call) -> Reply:
    """List servers by name."""
    rows, limit = filters.rows(call, brief=True)
    shown = [{"id": row.id, "name": row.name, "links": links(call, "servers", row.id)} for row in rows]
    return Reply({"servers": shown} | next_link(call, "servers", shown, limit))


@routes.get(_SERVERS + "/detail", rule="os_compute_api:servers:detail", response=schema.DETAIL)
def list_servers_detail(call: Call) -> Reply:
    """List servers in full."""
    rows, limit = filters.rows(call)
    with call.house.db.read() as c:
        shown = details(c, rows, call)
    for one in shown:
        one.pop("server_groups", None)  # since 2.71 of one server only
    return Reply({"servers": shown} | next_link(call, "servers", shown, limit))


@routes.get(_ONE, rule="os_compute_api:servers:show", response=schema.SHOW)
def show_server(call: Call) -> Reply:
    """Show a server."""
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        return Reply({"server": details(c, [row], call)[0]})


@routes.put(_ONE, rule="os_compute_api:servers:update", request=schema.UPDATE, response=schema.CHANGED)
def update_server(call: Call) -> Reply:
    """Change a server's name, description, host name, or the zone that it is pinned to."""
    body = call.body["server"]
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        values = creating.described(call, body)
        if "pinned_availability_zone" in body:
            values["availability_zone"] = _pin(row, body["pinned_availability_zone"])
        row = store.change(c, row.id, values)
        if row.host and row.ready:
            bump_host(c, row.host)
        shown = details(c, [row], call, brief=call.version < (2, 75))[0]
    return Reply({"server": shown})


def _pin(row: Any, zone: str | None) -> str | None:
    """Return the zone to pin a server to: none, or the one that it is in."""
    if zone is None or zone == row.availability_zone:
        return zone
    current = (row.zone or scheduling.ZONE) if row.host else None
    if row.availability_zone is not None or zone != current:
        raise Conflict(
            f"pinned_availability_zone = {zone!r:.80}: a server can be pinned only to the zone that it is in "
            f"({current}), and one that is pinned must be unpinned first."
        )
    return zone


@routes.delete(_ONE, rule="os_compute_api:servers:delete")
def delete_server(call: Call) -> Reply:
    """Delete a server, from any state."""
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        if row.locked and not call.caller.is_admin:
            raise Conflict(f"Instance {row.id} is locked: unlock it first")
        delete_row(c, call, row)
    return Reply()


def delete_row(c: Any, call: Call, row: Any) -> None:
    """Want a server gone."""
    store.begin_action(c, row, "delete", call.request_id, call.caller.user_id, row.project_id)
    store.want(
        c, row, {"to_delete": True, "task_state": "deleting", "deadline_at": None}, request_id=call.request_id
    )

"""Servers: create, list, show, update, delete."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
import secrets
import time
import uuid
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.compute import scheduling, store
from clearsky.compute import tables as t
from clearsky.compute.api import quotas
from clearsky.compute.api.render import details, links, next_link
from clearsky.compute.reconcile.server import BUILD_S
from clearsky.compute.schema import servers as schema
from clearsky.db.paging import limit_of, page
from clearsky.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from clearsky.image import service as image
from clearsky.image.service import ImageInfo
from clearsky.network import service as network
from clearsky.network.service import PortRequest
from clearsky.work.queue import enqueue

routes = Routes()
_SERVERS = "/v2.1/servers"
_ONE = _SERVERS + "/{server_id}"
GIB = 1 << 30


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
    flavor, picture = _flavor(call, str(body["flavorRef"])), _image(call, body)
    _fits(flavor, picture)
    plan = network.plan(
        call.house,
        call.caller,
        _networks(body),
        [group["name"] for group in body.get("security_groups", [])],
        most,
    )
    base = _values(call, body, flavor, picture) | {
        "plan": {
            "requests": [asdict(request) for request in plan.requests],
            "security_group_ids": list(plan.security_group_ids),
        }
    }
    count = _affordable(call, flavor, least, most)
    with call.house.db.write() as c:
        each = {"instances": 1, "cores": flavor.vcpus, "ram": flavor.ram_mib}
        quotas.check(c, call.house, base["project_id"], {name: value * count for name, value in each.items()})
        ids = [_insert(c, call, base, index, count) for index in range(count)]
    if _truth(body.get("return_reservation_id")):
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


def _insert(c: Any, call: Call, base: dict[str, Any], index: int, count: int) -> str:
    id, now = str(uuid.uuid4()), time.time()
    name = base["name"] if count == 1 else f"{base['name']}-{index + 1}"
    values = base | {"id": id, "name": name, "launch_index": index, "created_at": now, "updated_at": now}
    values["hostname"] = base["hostname"] or hostname(name, id)
    if base["hostname"] and count > 1:
        values["hostname"] = f"{base['hostname']}-{index + 1}"
    row = c.execute(insert(t.servers).values(**values).returning(t.servers)).one()
    store.begin_action(c, row, "create", call.request_id, call.caller.user_id, base["project_id"])
    enqueue(c, "server", id, request_id=call.request_id)
    return id


def hostname(name: str, id: str) -> str:
    """Return a host name (RFC 1123) made from a display name, which may hold anything."""
    clean = (
        re.sub(r"[^a-z0-9-]+", "-", name.lower().replace("_", "-").replace(".", "-"))
        .strip("-")[:63]
        .strip("-")
    )
    return clean or f"server-{id}"


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


def _truth(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "yes", "on", "t", "y")


def _flavor(call: Call, id: str) -> Any:
    with call.house.db.read() as c:
        try:
            return store.flavor(c, call.scope, id)
        except NotFound as error:
            raise Invalid(f"flavorRef = {id!r}: the flavor could not be found") from error


def _image(call: Call, body: dict[str, Any]) -> ImageInfo:
    block = body.get("block_device_mapping_v2", [{}])[0]
    id = body.get("imageRef") or block.get("uuid") or ""
    try:
        uuid.UUID(id)
        found = image.get(call.house, id, call.scope)
    except (ValueError, NotFound) as error:
        raise Invalid(
            f"imageRef = {id!r:.80}: the image could not be found. A server needs one to boot from."
        ) from error
    if found.status != "active":
        raise Invalid(f"Image {found.id} is not active: it is {found.status}.")
    return found


def _fits(flavor: Any, picture: ImageInfo) -> None:
    if picture.min_ram > flavor.ram_mib:
        raise Invalid(
            f"Flavor's memory is too small for requested image: {flavor.ram_mib} MiB, needed are {picture.min_ram}."
        )
    if flavor.disk_gib and (
        picture.min_disk > flavor.disk_gib or picture.virtual_size > flavor.disk_gib * GIB
    ):
        needed = max(picture.min_disk, -(-picture.virtual_size // GIB))
        raise Invalid(
            f"Flavor's disk is too small for requested image: {flavor.disk_gib} GiB, needed are {needed}."
        )


def _networks(body: dict[str, Any]) -> Any:
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


def _values(call: Call, body: dict[str, Any], flavor: Any, picture: ImageInfo) -> dict[str, Any]:
    zone, _, forced = (body.get("availability_zone") or "").partition(":")
    forced = forced or body.get("host") or body.get("hypervisor_hostname") or ""
    if forced and not call.may("os_compute_api:servers:admin_attributes"):
        raise Forbidden("Policy doesn't allow os_compute_api:servers:create:forced_host to be performed.")
    if forced:
        with call.house.db.read() as c:
            if store.host(c, forced) is None:
                raise Invalid(f"Compute host {forced} could not be found.")
    if zone not in ("", scheduling.ZONE):
        raise Invalid(f"The requested availability zone is not available: {zone!r:.80}")
    allowed = call.house.config.quota.metadata_items
    if len(body.get("metadata", {})) > allowed:
        raise Forbidden(f"Quota exceeded: metadata has {len(body['metadata'])} items, {allowed} are allowed")
    keys = ("id", "name", "vcpus", "ram_mib", "disk_gib", "ephemeral_gib", "swap_mib", "extra_specs")
    key = _key(call, body.get("key_name"))
    name = body["name"].strip()
    return {
        "project_id": call.caller.project_id or "",
        "user_id": call.caller.user_id,
        "name": name,
        "hostname": body.get("hostname", ""),
        "access_ip_v4": _plain_address(body.get("accessIPv4")),
        "access_ip_v6": _plain_address(body.get("accessIPv6")),
        "description": body.get("description", name if call.version < (2, 19) else None),
        "request_id": call.request_id,
        "reservation_id": f"r-{secrets.token_hex(4)}",
        "image_id": picture.id,
        "flavor": {field: getattr(flavor, field) for field in keys},
        "vcpus": flavor.vcpus,
        "ram_mib": flavor.ram_mib,
        "key_name": body.get("key_name"),
        "public_key": key,
        "user_data": _user_data(body.get("user_data")),
        "config_drive": _truth(body.get("config_drive")),
        "metadata": body.get("metadata", {}),
        "tags": list(dict.fromkeys(body.get("tags", []))),
        "availability_zone": zone or None,
        "forced_host": forced or None,
        "task_state": "scheduling",
        "deadline_at": time.time() + BUILD_S,
    }


def _key(call: Call, name: str | None) -> str | None:
    if not name:
        return None
    with call.house.db.read() as c:
        try:
            return str(store.keypair(c, call.caller.user_id, name).public_key)
        except NotFound as error:
            raise Invalid(f"key_name = {name!r}: Invalid key_name provided.") from error


def _user_data(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid("Invalid input for field/attribute user_data: it must be base64-encoded") from error
    return "".join(text.split())


# -- lists ------------------------------------------------------------------------------------------------------

_STATES = {
    "ACTIVE": ("active", None), "BUILD": ("building", None), "ERROR": ("error", None), "SHUTOFF": ("stopped", None),
    "PAUSED": ("paused", None), "DELETED": ("deleted", None), "REBOOT": ("active", "rebooting"), "HARD_REBOOT": ("active", "rebooting_hard"),
}  # fmt: skip
_SORT = {
    "created_at": "created_at", "updated_at": "updated_at", "display_name": "name", "name": "name", "uuid": "id",
    "vm_state": "vm_state", "task_state": "task_state", "host": "host", "project_id": "project_id", "user_id": "user_id",
    "launched_at": "launched_at", "terminated_at": "terminated_at", "image_ref": "image_id", "instance_type_id": "id",
    "key_name": "key_name", "availability_zone": "availability_zone", "display_description": "description", "power_state": "power",
}  # fmt: skip
_EQUAL = {"host": "host", "node": "host", "key_name": "key_name", "availability_zone": "availability_zone",
          "reservation_id": "reservation_id", "uuid": "id", "launch_index": "launch_index"}  # fmt: skip


def _time(name: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"{name} = {text!r:.60} is no ISO 8601 time") from error
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _filters(call: Call) -> list[Any]:
    s, query, wanted = t.servers.c, call.query, []
    everyone = call.scope is None and ("all_tenants" in query and _truth(query["all_tenants"] or "1"))
    if (
        "all_tenants" in query
        and query["all_tenants"]
        and query["all_tenants"].lower() not in ("true", "false", "1", "0", "t", "f", "yes", "no")
    ):
        raise Invalid(
            f"Invalid input for query parameters all_tenants. Value: {query['all_tenants']:.40}. It is a boolean."
        )
    if (
        "all_tenants" in query
        and not everyone
        and call.scope is not None
        and _truth(query["all_tenants"] or "1")
    ):
        raise Forbidden("Policy doesn't allow os_compute_api:servers:index:get_all_tenants to be performed.")
    if not everyone:
        wanted.append(s.project_id == (call.caller.project_id or ""))
    elif project := query.get("project_id") or query.get("tenant_id"):
        wanted.append(s.project_id == project)
    asked_deleted = call.scope is None and (
        _truth(query.get("deleted", "")) or query.get("status", "").upper() == "DELETED"
    )
    if "changes-since" in query:
        wanted.append(s.updated_at >= _time("changes-since", query["changes-since"]))
    elif "changes-before" not in query or call.version < (2, 66):
        wanted.append(s.deleted.is_(asked_deleted))
    if call.version >= (2, 66) and "changes-before" in query:
        wanted.append(s.updated_at <= _time("changes-before", query["changes-before"]))
    if states := query.getlist("status"):
        wanted.append(_by_status([state.upper() for state in states]))
    if states := query.getlist("vm_state"):
        wanted.append(s.vm_state.in_(states))
    if names := query.getlist("name"):
        wanted += [_like(s.name, name) for name in names]
    if user := query.get("user_id"):
        wanted.append(s.user_id == user)
    for key, name in (("image", "image_id"), ("flavor", "id")):
        if key == "image" and key in query:
            wanted.append(s[name] == query[key])
    if call.scope is None or call.version >= (2, 83):
        wanted += [s[column] == query[key] for key, column in _EQUAL.items() if key in query]
    if "locked" in query and call.version >= (2, 73):
        wanted.append(s.locked.is_(_truth(query["locked"])))
    return wanted


def _by_status(states: list[str]) -> Any:
    s = t.servers.c
    vm_states = [_STATES[state][0] for state in states if state in _STATES]
    found = s.vm_state.in_(vm_states)
    if "ACTIVE" in states:
        return found & (s.task_state.is_(None) | s.task_state.not_in(("rebooting", "rebooting_hard")))
    tasks = [task for state in states if state in _STATES and (task := _STATES[state][1])]
    return found & s.task_state.in_(tasks) if tasks else found


def _like(column: Any, pattern: str) -> Any:
    """Filter by a regular expression as far as databases share one: anchors, and anything in between."""
    text = re.sub(r"\\(.)", r"\1", pattern.removeprefix("^").removesuffix("$"))
    parts = [part.replace("/", "//").replace("%", "/%").replace("_", "/_") for part in text.split(".*")]
    start, end = "" if pattern.startswith("^") else "%", "" if pattern.endswith("$") else "%"
    return column.like(start + "%".join(parts) + end, escape="/")


def _rows(call: Call) -> tuple[list[Any], int]:
    s = t.servers.c
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    keys, ways = call.query.getlist("sort_key"), call.query.getlist("sort_dir")
    sort: list[tuple[Any, bool]] = []
    for index, key in enumerate(keys):
        way = ways[index] if index < len(ways) else "desc"
        if key not in _SORT or way not in ("asc", "desc"):
            raise Invalid(
                f"sort_key = {key!r:.40}, sort_dir = {way!r:.10}: keys are {', '.join(_SORT)}; directions asc and desc"
            )
        sort.append((s[_SORT[key]], way == "asc"))
    way = ways[0] if ways and not keys else "desc"
    if not keys:
        sort.append((s.created_at, way == "asc"))
    sort.append((s.id, way == "asc"))
    query = select(t.servers).where(*_filters(call))
    with call.house.db.read() as c:
        marker = None
        if "marker" in call.query:
            try:
                row = store.server(c, call.scope, call.query["marker"], deleted=True)
            except NotFound as error:
                raise Invalid(f"marker [{call.query['marker']:.80}] not found") from error
            marker = [getattr(row, column.name) for column, _ in sort]
        later = _tag_filters(call) or any(name in call.query for name in ("ip", "ip6", "flavor", "metadata"))
        rows = list(c.execute(page(query, sort, marker, None if later else limit)))
        if later:
            rows = _narrow(c, call, rows)[:limit]
    return rows, limit


def _tag_filters(call: Call) -> bool:
    return call.version >= (2, 26) and any(
        name in call.query for name in ("tags", "tags-any", "not-tags", "not-tags-any")
    )


def _narrow(c: Any, call: Call, rows: list[Any]) -> list[Any]:
    query = call.query
    if "flavor" in query:
        rows = [row for row in rows if row.flavor["id"] == query["flavor"]]
    for name in ("tags", "tags-any", "not-tags", "not-tags-any"):
        if name in query and call.version >= (2, 26):
            wanted, any_of, negated = (
                set(query[name].split(",")),
                name.endswith("any"),
                name.startswith("not"),
            )
            rows = [
                r
                for r in rows
                if (bool(wanted & set(r.tags)) if any_of else wanted <= set(r.tags)) != negated
            ]
    for name in ("ip", "ip6"):
        if name in query:
            ports = network.ports_of_servers(c, [row.id for row in rows])
            rows = [
                r
                for r in rows
                if any(re.search(_safe(query[name]), a.ip) for p in ports.get(r.id, []) for a in p.addresses)
            ]
    return rows


def _safe(pattern: str) -> str:
    """Return a pattern that cannot run away: the client's text, with only anchors kept special."""
    body = re.escape(pattern.removeprefix("^").removesuffix("$").replace("\\", ""))
    return ("^" if pattern.startswith("^") else "") + body + ("$" if pattern.endswith("$") else "")


@routes.get(_SERVERS, rule="os_compute_api:servers:index", response=schema.INDEX)
def list_servers(call: Call) -> Reply:
    """List servers by name."""
    rows, limit = _rows(call)
    shown = [{"id": row.id, "name": row.name, "links": links(call, "servers", row.id)} for row in rows]
    return Reply({"servers": shown} | next_link(call, "servers", shown, limit))


@routes.get(_SERVERS + "/detail", rule="os_compute_api:servers:detail", response=schema.DETAIL)
def list_servers_detail(call: Call) -> Reply:
    """List servers in full."""
    rows, limit = _rows(call)
    with call.house.db.read() as c:
        shown = details(c, rows, call)
    return Reply({"servers": shown} | next_link(call, "servers", shown, limit))


@routes.get(_ONE, rule="os_compute_api:servers:show", response=schema.SHOW)
def show_server(call: Call) -> Reply:
    """Show a server."""
    with call.house.db.read() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        return Reply({"server": details(c, [row], call)[0]})


@routes.put(_ONE, rule="os_compute_api:servers:update", request=schema.UPDATE, response=schema.SHOW)
def update_server(call: Call) -> Reply:
    """Change a server's name, description or host name."""
    body = call.body["server"]
    values = {name: body[name] for name in ("description", "hostname") if name in body}
    if "name" in body:
        values["name"] = body["name"].strip()
    values |= {
        column: _plain_address(body[key])
        for key, column in (("accessIPv4", "access_ip_v4"), ("accessIPv6", "access_ip_v6"))
        if key in body
    }
    with call.house.db.write() as c:
        row = store.server(c, call.scope, call.params["server_id"])
        row = store.change(c, row.id, values)
        return Reply({"server": details(c, [row], call)[0]})


def _plain_address(text: str | None) -> str:
    """Return an address, checked by the schema, in its shortest form."""
    return str(ipaddress.ip_address(text)) if text else ""


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

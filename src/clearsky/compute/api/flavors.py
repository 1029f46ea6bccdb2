"""Flavors, their access lists and extra specs."""

from __future__ import annotations

import time
import uuid
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute import store
from clearsky.compute import tables as t
from clearsky.compute.api.render import links, next_link
from clearsky.compute.schema.servers import holding
from clearsky.db.paging import limit_of, page
from clearsky.errors import Conflict, Invalid, NotFound

routes = Routes()
_NUMBER = {"type": ["integer", "string"], "pattern": "^[0-9]{1,10}$", "minimum": 0, "maximum": 2147483647}
_NAME = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^\S(.*\S)?$"}
_SPECS = {
    "type": "object",
    "propertyNames": {"pattern": "^[a-zA-Z0-9-_:. ]{1,255}$"},
    "additionalProperties": {"type": ["string", "number"], "maxLength": 255},
}
_CREATE = Schema(
    {
        "type": "object",
        "properties": {
            "flavor": {
                "type": "object",
                "properties": {
                    "name": _NAME,
                    "id": {
                        "type": ["string", "number", "null"],
                        "minLength": 1,
                        "maxLength": 255,
                        "pattern": "^[a-zA-Z0-9. _-]*$",
                    },
                    "ram": _NUMBER | {"minimum": 1},
                    "vcpus": _NUMBER | {"minimum": 1, "maximum": 4096},
                    "disk": _NUMBER,
                    "OS-FLV-EXT-DATA:ephemeral": _NUMBER,
                    "swap": _NUMBER,
                    "rxtx_factor": {
                        "type": ["number", "string"],
                        "pattern": r"^[0-9]+(\.[0-9]+)?$",
                        "exclusiveMinimum": 0,
                        "maximum": 3.40282e38,
                        "until": (2, 101),
                    },
                    "os-flavor-access:is_public": {"type": ["boolean", "string"]},
                    "description": {"type": ["string", "null"], "maxLength": 65535, "since": (2, 55)},
                },
                "required": ["name", "ram", "vcpus", "disk"],
                "additionalProperties": False,
            }
        },
        "required": ["flavor"],
        "additionalProperties": False,
    }
)
_UPDATE = Schema(
    {
        "type": "object",
        "properties": {
            "flavor": {
                "type": "object",
                "properties": {"description": {"type": ["string", "null"], "maxLength": 65535}},
                "required": ["description"],
                "additionalProperties": False,
            }
        },
        "required": ["flavor"],
    }
)
_SPECS_BODY = Schema(
    {
        "type": "object",
        "properties": {"extra_specs": _SPECS},
        "required": ["extra_specs"],
        "additionalProperties": False,
    }
)
_SPEC_BODY = Schema(_SPECS | {"minProperties": 1, "maxProperties": 1})
_ONE = {"type": "object", "required": ["id", "name", "ram", "disk", "vcpus", "swap", "links"]}
_SHOW = Schema({"type": "object", "properties": {"flavor": _ONE}, "required": ["flavor"]})
_MANAGE = "os_compute_api:os-flavor-manage"
_ANY = "os_compute_api:any_token"


def view(call: Call, row: Any) -> dict[str, Any]:
    shown = {
        "id": row.id,
        "name": row.name,
        "ram": row.ram_mib,
        "disk": row.disk_gib,
        "vcpus": row.vcpus,
        "OS-FLV-EXT-DATA:ephemeral": row.ephemeral_gib,
        "swap": row.swap_mib or (0 if call.version >= (2, 75) else ""),
        "rxtx_factor": row.rxtx_factor,
        "os-flavor-access:is_public": row.is_public,
        "OS-FLV-DISABLED:disabled": False,
        "links": links(call, "flavors", row.id),
    }
    if call.version >= (2, 102):
        del shown["rxtx_factor"], shown["OS-FLV-DISABLED:disabled"]
    if call.version >= (2, 55):
        shown["description"] = row.description
    if call.version >= (2, 61):
        shown["extra_specs"] = row.extra_specs
    return shown


def _rows(call: Call) -> tuple[list[Any], int]:
    f = t.flavors.c
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    query = select(t.flavors).where(store.allowed_flavors(call.scope))
    public = call.query.get("is_public", "").lower()
    if call.scope is None and public != "none":
        query = query.where(f.is_public.is_(public not in ("false", "f", "no", "n", "0", "off")))
    for name, column in (("minRam", f.ram_mib), ("minDisk", f.disk_gib)):
        if name in call.query:
            if not call.query[name].isascii() or not call.query[name].isdigit():
                raise Invalid(f"Invalid {name} filter [{call.query[name]:.40}]")
            query = query.where(column >= min(int(call.query[name]), 2**31))
    key, way = call.query.get("sort_key", "id"), call.query.get("sort_dir", "asc")
    columns = {
        "flavorid": "id",
        "memory_mb": "ram_mib",
        "root_gb": "disk_gib",
        "ephemeral_gb": "ephemeral_gib",
        "swap": "swap_mib",
    }
    order: Any = f.get(columns.get(key, key))
    if order is None or way not in ("asc", "desc"):
        raise Invalid(f"sort_key={key!r:.40} sort_dir={way!r:.10}: there is no such order")
    sort = [(order, way == "asc")] + ([(f.id, True)] if order.name != "id" else [])
    with call.house.db.read() as c:
        marker = None
        if "marker" in call.query:
            try:
                last = store.flavor(c, call.scope, call.query["marker"])
            except NotFound as error:
                raise Invalid(f"marker [{call.query['marker']:.80}] not found") from error
            marker = [getattr(last, one.name) for one, _ in sort]
        return list(c.execute(page(query, sort, marker, limit))), limit


@routes.get("/v2.1/flavors", rule=_ANY, response=holding("flavors"))
def list_flavors(call: Call) -> Reply:
    """List flavors by name."""
    rows, limit = _rows(call)
    shown = [{"id": row.id, "name": row.name, "links": links(call, "flavors", row.id)} for row in rows]
    if call.version >= (2, 55):
        shown = [one | {"description": row.description} for one, row in zip(shown, rows, strict=True)]
    return Reply({"flavors": shown} | next_link(call, "flavors", shown, limit))


@routes.get(
    "/v2.1/flavors/detail",
    rule=_ANY,
    response=Schema(
        {
            "type": "object",
            "properties": {"flavors": {"type": "array", "items": _ONE}},
            "required": ["flavors"],
        }
    ),
)
def list_flavors_detail(call: Call) -> Reply:
    """List flavors in full."""
    rows, limit = _rows(call)
    shown = [view(call, row) for row in rows]
    return Reply({"flavors": shown} | next_link(call, "flavors", shown, limit))


@routes.get("/v2.1/flavors/{id}", rule=_ANY, response=_SHOW)
def show_flavor(call: Call) -> Reply:
    """Show a flavor."""
    with call.house.db.read() as c:
        row = store.flavor(c, call.scope, call.params["id"])
    return Reply({"flavor": view(call, row)})


@routes.post("/v2.1/flavors", rule=_MANAGE, request=_CREATE, response=_SHOW)
def create_flavor(call: Call) -> Reply:
    """Create a flavor."""
    body = call.body["flavor"]
    public = body.get("os-flavor-access:is_public", True)
    id = body.get("id")
    values = {
        "id": str(uuid.uuid4()) if id in (None, "auto") else str(id),
        "name": body["name"],
        "vcpus": int(body["vcpus"]),
        "ram_mib": int(body["ram"]),
        "disk_gib": int(body["disk"]),
        "ephemeral_gib": int(body.get("OS-FLV-EXT-DATA:ephemeral", 0)),
        "swap_mib": int(body.get("swap") or 0),
        "rxtx_factor": float(body.get("rxtx_factor", 1.0)),
        "is_public": str(public).lower() in ("true", "1", "yes", "on"),
        "description": body.get("description"),
        "created_at": time.time(),
    }
    try:
        with call.house.db.write() as c:
            row = c.execute(insert(t.flavors).values(**values).returning(t.flavors)).one()
    except IntegrityError as error:
        raise Conflict(f"Flavor with name {body['name']} or ID {values['id']} already exists.") from error
    return Reply({"flavor": view(call, row)})


@routes.put("/v2.1/flavors/{id}", rule=_MANAGE, request=_UPDATE, response=_SHOW, since=(2, 55))
def update_flavor(call: Call) -> Reply:
    """Change a flavor's description."""
    with call.house.db.write() as c:
        row = store.flavor(c, None, call.params["id"])
        changed = (
            update(t.flavors)
            .where(t.flavors.c.id == row.id)
            .values(description=call.body["flavor"]["description"])
        )
        row = c.execute(changed.returning(t.flavors)).one()
    return Reply({"flavor": view(call, row)})


@routes.delete("/v2.1/flavors/{id}", rule=_MANAGE, status=202)
def delete_flavor(call: Call) -> Reply:
    """Delete a flavor; servers made with it keep their own copy."""
    with call.house.db.write() as c:
        row = store.flavor(c, None, call.params["id"])
        c.execute(delete(t.flavor_access).where(t.flavor_access.c.flavor_id == row.id))
        c.execute(delete(t.flavors).where(t.flavors.c.id == row.id))
    return Reply()


# -- extra specs ------------------------------------------------------------------------------------------------


@routes.get("/v2.1/flavors/{id}/os-extra_specs", rule=_ANY, response=holding("extra_specs"))
def list_specs(call: Call) -> Reply:
    """List a flavor's extra specs."""
    with call.house.db.read() as c:
        return Reply({"extra_specs": store.flavor(c, call.scope, call.params["id"]).extra_specs})


@routes.get("/v2.1/flavors/{id}/os-extra_specs/{key}", rule=_ANY, response=Schema({"type": "object"}))
def show_spec(call: Call) -> Reply:
    """Show one extra spec."""
    with call.house.db.read() as c:
        specs = store.flavor(c, call.scope, call.params["id"]).extra_specs
    key = call.params["key"]
    if key not in specs:
        raise NotFound(f"Flavor {call.params['id']} has no extra specs with key {key}.")
    return Reply({key: specs[key]})


def _change_specs(call: Call, change: Any) -> dict[str, str]:
    with call.house.db.write() as c:
        row = store.flavor(c, None, call.params["id"])
        specs: dict[str, str] = change(dict(row.extra_specs))
        c.execute(update(t.flavors).where(t.flavors.c.id == row.id).values(extra_specs=specs))
    return specs


@routes.post(
    "/v2.1/flavors/{id}/os-extra_specs",
    rule="os_compute_api:os-flavor-extra-specs:change",
    request=_SPECS_BODY,
    response=holding("extra_specs"),
)
def add_specs(call: Call) -> Reply:
    """Add extra specs."""
    given = {key: str(value) for key, value in call.body["extra_specs"].items()}
    _change_specs(call, lambda specs: specs | given)
    return Reply({"extra_specs": given})


@routes.put(
    "/v2.1/flavors/{id}/os-extra_specs/{key}",
    rule="os_compute_api:os-flavor-extra-specs:change",
    request=_SPEC_BODY,
    response=Schema({"type": "object"}),
)
def update_spec(call: Call) -> Reply:
    """Set one extra spec."""
    key = call.params["key"]
    if key not in call.body:
        raise Invalid(f"The body must hold the key of the path: {key!r:.80}")
    given = {key: str(call.body[key])}
    _change_specs(call, lambda specs: specs | given)
    return Reply(given)


@routes.delete(
    "/v2.1/flavors/{id}/os-extra_specs/{key}", rule="os_compute_api:os-flavor-extra-specs:change", status=200
)
def delete_spec(call: Call) -> Reply:
    """Remove one extra spec."""

    def change(specs: dict[str, str]) -> dict[str, str]:
        if specs.pop(call.params["key"], None) is None:
            raise NotFound(f"Flavor {call.params['id']} has no extra specs with key {call.params['key']}.")
        return specs

    _change_specs(call, change)
    return Reply()


# -- access -----------------------------------------------------------------------------------------------------

_ACCESS = {
    "type": "object",
    "properties": {"tenant": {"type": "string", "minLength": 1, "maxLength": 64}},
    "required": ["tenant"],
}


def _access(c: Any, row: Any) -> Reply:
    a = t.flavor_access.c
    ids = c.execute(select(a.project_id).where(a.flavor_id == row.id)).scalars()
    return Reply({"flavor_access": [{"flavor_id": row.id, "tenant_id": id} for id in ids]})


@routes.get(
    "/v2.1/flavors/{id}/os-flavor-access",
    rule="os_compute_api:os-flavor-access",
    response=holding("flavor_access"),
)
def list_access(call: Call) -> Reply:
    """List the projects that may use a flavor that is not public."""
    with call.house.db.read() as c:
        row = store.flavor(c, None, call.params["id"])
        if row.is_public:
            raise NotFound("Access list not available for public flavors.")
        return _access(c, row)


@routes.post(
    "/v2.1/flavors/{id}/action",
    rule="os_compute_api:os-flavor-access",
    action="addTenantAccess",
    request=Schema({"type": "object", "properties": {"addTenantAccess": _ACCESS}}),
    response=holding("flavor_access"),
)
def add_access(call: Call) -> Reply:
    """Let a project use a flavor."""
    values = {"flavor_id": call.params["id"], "project_id": call.body["addTenantAccess"]["tenant"]}
    with call.house.db.write() as c:
        row = store.flavor(c, None, call.params["id"])
        if row.is_public:
            raise Conflict("Can not add access to a public flavor.")
        if c.execute(select(t.flavor_access).filter_by(**values)).first():
            raise Conflict(
                f"Flavor access already exists for flavor {row.id} and project {values['project_id']} combination."
            )
        c.execute(insert(t.flavor_access).values(**values))
        return _access(c, row)


@routes.post(
    "/v2.1/flavors/{id}/action",
    rule="os_compute_api:os-flavor-access",
    action="removeTenantAccess",
    request=Schema({"type": "object", "properties": {"removeTenantAccess": _ACCESS}}),
    response=holding("flavor_access"),
)
def remove_access(call: Call) -> Reply:
    """Let a project no longer use a flavor."""
    a, project_id = t.flavor_access.c, call.body["removeTenantAccess"]["tenant"]
    with call.house.db.write() as c:
        row = store.flavor(c, None, call.params["id"])
        if not c.execute(
            delete(t.flavor_access).where(a.flavor_id == row.id, a.project_id == project_id)
        ).rowcount:
            raise NotFound(f"Flavor access not found for {row.id} / {project_id} combination.")
        return _access(c, row)

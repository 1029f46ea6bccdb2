"""Regions, services and endpoints: what the catalog is made of."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import delete, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Invalid
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api.render import filtered, link, listed
from clearsky.identity.schema.resources import CREATE, INDEX, SHOW, UPDATE
from clearsky.identity.store import catalog, removal

routes = Routes()
TABLES = {"region": t.regions, "service": t.services, "endpoint": t.endpoints}
FIELDS = {
    "region": ("id", "description", "parent_region_id"),
    "service": ("id", "type", "name", "description", "enabled"),
    "endpoint": ("id", "service_id", "interface", "url", "region_id", "enabled", "name"),
}
FILTERS = {
    "region": ("parent_region_id",),
    "service": ("type", "name"),
    "endpoint": ("service_id", "interface", "region_id"),
}


def _view(kind: str) -> Any:
    def view(call: Call, row: Any) -> dict[str, Any]:
        shown = {name: getattr(row, name) for name in FIELDS[kind]}
        if kind == "endpoint":
            shown["region"] = row.region_id
            if not row.name:
                del shown["name"]
        return shown | {"links": link(call, f"{kind}s", row.id)}

    return view


def _values(c: Any, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    values = {name: body[name] for name in FIELDS[kind] if name in body and name != "id"}
    for name in ("description", "name"):
        if name in values:
            values[name] = values[name] or ""
    if kind == "endpoint":
        if "region" in body and "region_id" not in body:
            values["region_id"] = body["region"]
        if (
            values.get("service_id")
            and not c.execute(select(t.services.c.id).where(t.services.c.id == values["service_id"])).first()
        ):
            raise Invalid(f"endpoint.service_id = {values['service_id']!r}: there is no such service")
        region = values.get("region_id")
        if region and not c.execute(select(t.regions.c.id).where(t.regions.c.id == region)).first():
            store.create(c, t.regions, {"id": region}, "region")
    parent = values.get("parent_region_id")
    if parent:
        store.get(c, t.regions, parent, "region")
    return values


def _create(call: Call) -> Reply:
    """Create an entry of the catalog."""
    kind = next(iter(call.body))
    body = call.body[kind]
    with call.house.db.write() as c:
        id = (body.get("id") if kind == "region" else None) or call.params.get("id") or uuid.uuid4().hex
        row = store.create(c, TABLES[kind], {"id": id} | _values(c, kind, body), kind)
    return Reply({kind: _view(kind)(call, row)})


def _register(kind: str) -> None:
    plural, table, view = f"{kind}s", TABLES[kind], _view(kind)
    one = f"/v3/{plural}/{{id}}"

    def index(call: Call) -> Reply:
        """List entries of the catalog."""
        return listed(call, plural, filtered(call, select(table), table, FILTERS[kind]), table, view)

    def show(call: Call) -> Reply:
        """Show an entry of the catalog."""
        with call.house.db.read() as c:
            row = store.get(c, table, call.params["id"], kind)
        return Reply({kind: view(call, row)})

    def update(call: Call) -> Reply:
        """Update an entry of the catalog."""
        with call.house.db.write() as c:
            row = store.get(c, table, call.params["id"], kind)
            row = store.change(c, table, row.id, _values(c, kind, call.body[kind]), kind)
        return Reply({kind: view(call, row)})

    def remove(call: Call) -> Reply:
        """Delete an entry of the catalog."""
        with call.house.db.write() as c:
            row = store.get(c, table, call.params["id"], kind)
            if kind == "region":
                catalog.region_in_use(c, row.id)
            if kind == "service":
                removal.service(c, row.id)
            c.execute(delete(table).where(table.c.id == row.id))
        return Reply()

    routes.post(
        f"/v3/{plural}", rule=f"identity:create_{kind}", status=201, request=CREATE[kind], response=SHOW[kind]
    )(_create)
    routes.get(f"/v3/{plural}", rule=f"identity:list_{plural}", response=INDEX[kind])(index)
    routes.get(one, rule=f"identity:get_{kind}", response=SHOW[kind])(show)
    routes.patch(one, rule=f"identity:update_{kind}", request=UPDATE[kind], response=SHOW[kind])(update)
    routes.delete(one, rule=f"identity:delete_{kind}")(remove)


for _kind in TABLES:
    _register(_kind)
routes.put(
    "/v3/regions/{id}",
    rule="identity:create_region",
    status=201,
    request=CREATE["region"],
    response=SHOW["region"],
)(_create)

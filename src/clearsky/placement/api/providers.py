"""Resource providers, their inventories, traits and usages; and the version document."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.microversions import text
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Invalid
from clearsky.placement import schema, store
from clearsky.placement.store import Inventory
from clearsky.placement.versions import MICROVERSIONS

routes = Routes()
_ONE = "/resource_providers/{uuid}"


@routes.get("", rule=PUBLIC)
def list_versions(call: Call) -> Reply:
    """Describe the one version of the Placement API."""
    version = {
        "id": "v1.0",
        "max_version": text(MICROVERSIONS.maximum),
        "min_version": text(MICROVERSIONS.minimum),
        "status": "CURRENT",
        "links": [{"rel": "self", "href": ""}],
    }
    return Reply({"versions": [version]})


def view(call: Call, row: Any) -> dict[str, Any]:
    base = f"/placement/resource_providers/{row.id}"
    shown: dict[str, Any] = {"uuid": row.id, "name": row.name, "generation": row.generation}
    rooms = ["", "/inventories", "/usages", "/traits", "/allocations"]
    names = ["self", "inventories", "usages", "traits", "allocations"]
    shown["links"] = [{"rel": rel, "href": base + room} for rel, room in zip(names, rooms, strict=True)]
    if call.version >= (1, 14):
        shown |= {"root_provider_uuid": row.id, "parent_provider_uuid": None}
    return shown


@routes.get("/resource_providers", rule="placement:resource_providers:list", response=schema.PROVIDERS)
def list_providers(call: Call) -> Reply:
    """List resource providers by name, uuid, and what must fit on them."""
    with call.house.db.read() as c:
        rows = store.providers(c, name=call.query.get("name"), id=call.query.get("uuid"))
    return Reply({"resource_providers": [view(call, row) for row in rows]})


@routes.post(
    "/resource_providers",
    rule="placement:resource_providers:create",
    request=schema.PROVIDER_CREATE,
    response=schema.PROVIDER,
)
def create_provider(call: Call) -> Reply:
    """Create a resource provider."""
    id = str(uuid.UUID(call.body.get("uuid") or str(uuid.uuid4())))
    with call.house.db.write() as c:
        store.create_provider(c, id, call.body["name"])
        row = store.provider(c, id)
    headers = {"Location": f"{call.base_url}/resource_providers/{id}"}
    if call.version >= (1, 20):
        return Reply(view(call, row), 200, headers)
    return Reply(None, 201, headers)


@routes.get(_ONE, rule="placement:resource_providers:show", response=schema.PROVIDER)
def show_provider(call: Call) -> Reply:
    """Show a resource provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
    return Reply(view(call, row))


@routes.delete(_ONE, rule="placement:resource_providers:delete")
def delete_provider(call: Call) -> Reply:
    """Delete a resource provider on which nothing is allocated."""
    with call.house.db.write() as c:
        store.remove_provider(c, call.params["uuid"])
    return Reply()


def _inventories(row: Any, found: dict[str, Inventory]) -> dict[str, Any]:
    items = {name: asdict(item) for name, item in found.items()}
    return {"resource_provider_generation": row.generation, "inventories": items}


@routes.get(
    f"{_ONE}/inventories", rule="placement:resource_providers:inventories:list", response=schema.INVENTORIES
)
def list_inventories(call: Call) -> Reply:
    """List what a provider has."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        found = store.inventories(c, [row.id]).get(row.id, {})
    return Reply(_inventories(row, found))


@routes.put(
    f"{_ONE}/inventories",
    rule="placement:resource_providers:inventories:update",
    request=schema.INVENTORIES,
    response=schema.INVENTORIES,
)
def update_inventories(call: Call) -> Reply:
    """Replace what a provider has."""
    wanted = {name: Inventory(**item) for name, item in call.body["inventories"].items()}
    for name, item in wanted.items():
        if item.reserved > item.total:
            raise Invalid(f"inventories/{name}/reserved = {item.reserved} is more than total = {item.total}")
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.set_inventories(c, row.id, wanted)
        store.bump(c, row.id, call.body["resource_provider_generation"])
        row = store.provider(c, row.id)
    return Reply(_inventories(row, wanted))


@routes.get(f"{_ONE}/traits", rule="placement:resource_providers:traits:list", response=schema.TRAITS)
def list_traits(call: Call) -> Reply:
    """List a provider's traits."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        found = sorted(store.traits(c, [row.id]).get(row.id, set()))
    return Reply({"resource_provider_generation": row.generation, "traits": found})


@routes.put(
    f"{_ONE}/traits",
    rule="placement:resource_providers:traits:update",
    request=schema.TRAITS,
    response=schema.TRAITS,
)
def update_traits(call: Call) -> Reply:
    """Replace a provider's traits."""
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.set_traits(c, row.id, call.body["traits"])
        generation = store.bump(c, row.id, call.body["resource_provider_generation"])
    return Reply({"resource_provider_generation": generation, "traits": sorted(call.body["traits"])})


@routes.get(f"{_ONE}/usages", rule="placement:resource_providers:usages", response=schema.USAGES)
def list_usages(call: Call) -> Reply:
    """List how much of each resource class is allocated on a provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        has, used = store.inventories(c, [row.id]).get(row.id, {}), store.usages(c, [row.id]).get(row.id, {})
    amounts = {name: used.get(name, 0) for name in has}
    return Reply({"resource_provider_generation": row.generation, "usages": amounts})

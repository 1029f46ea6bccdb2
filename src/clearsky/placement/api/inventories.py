"""What a provider has, and how much of it is used."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import schema, store
from clearsky.placement.api.kit import fresh
from clearsky.placement.api.providers import ONE
from clearsky.placement.store import Inventory

routes = Routes()
_ALL, _CLASS = f"{ONE}/inventories", f"{ONE}/inventories/{{resource_class}}"
_RULE = "placement:resource_providers:inventories:"


def checked(call: Call, name: str, values: dict[str, Any]) -> Inventory:
    """Return an inventory that makes sense; before 1.26 something of it had to be left."""
    item = Inventory(**values)
    if item.reserved > item.total or (item.reserved == item.total and call.version < (1, 26)):
        raise Invalid(
            f"Invalid inventory for '{name}': reserved = {item.reserved} leaves nothing of total = {item.total}."
        )
    return item


def _listed(call: Call, row: Any, generation: int, found: dict[str, Inventory], status: int = 0) -> Reply:
    items = {name: asdict(item) for name, item in found.items()}
    body = {"resource_provider_generation": generation, "inventories": items}
    return fresh(call, body, row.updated_at, status)


@routes.get(_ALL, rule=_RULE + "list", response=schema.INVENTORIES)
def list_inventories(call: Call) -> Reply:
    """List what a provider has."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        found = store.inventories(c, [row.id]).get(row.id, {})
    return _listed(call, row, row.generation, found)


@routes.put(_ALL, rule=_RULE + "update", request=schema.INVENTORIES, response=schema.INVENTORIES)
def update_inventories(call: Call) -> Reply:
    """Replace what a provider has."""
    wanted = {name: checked(call, name, item) for name, item in call.body["inventories"].items()}
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.expect(row, call.body["resource_provider_generation"])
        store.set_inventories(c, row.id, wanted)
        generation = store.bump(c, row.id, row.generation)
    return _listed(call, row, generation, wanted)


@routes.delete(_ALL, rule=_RULE + "delete", since=(1, 5))
def delete_inventories(call: Call) -> Reply:
    """Remove everything that a provider has; nothing of it may be in use."""
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.set_inventories(c, row.id, {})
        store.bump(c, row.id)
    return Reply()


@routes.post(
    _ALL, rule=_RULE + "create", status=201, request=schema.NEW_INVENTORY, response=schema.ONE_INVENTORY
)
def create_inventory(call: Call) -> Reply:
    """Add a resource class to what a provider has."""
    body = dict(call.body)
    name, expected = body.pop("resource_class"), body.pop("resource_provider_generation", None)
    item = checked(call, name, body)
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        if expected is not None:
            store.expect(row, expected)
        have = store.inventories(c, [row.id]).get(row.id, {})
        if name in have:
            raise Conflict(f"Update conflict: resource provider {row.id} has {name} already.")
        store.set_inventories(c, row.id, have | {name: item})
        generation = store.bump(c, row.id, row.generation)
    reply = _shown(call, row, generation, item)
    reply.headers["Location"] = f"{call.base_url}/resource_providers/{row.id}/inventories/{name}"
    return reply


def _shown(call: Call, row: Any, generation: int, item: Inventory) -> Reply:
    return fresh(call, asdict(item) | {"resource_provider_generation": generation}, row.updated_at)


def _one(row: Any, have: dict[str, Inventory], name: str) -> Inventory:
    if name not in have:
        raise NotFound(f"No inventory of class {name:.80} for {row.id}")
    return have[name]


@routes.get(_CLASS, rule=_RULE + "show", response=schema.ONE_INVENTORY)
def show_inventory(call: Call) -> Reply:
    """Show what a provider has of one resource class."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        have = store.inventories(c, [row.id]).get(row.id, {})
    return _shown(call, row, row.generation, _one(row, have, call.params["resource_class"]))


@routes.put(_CLASS, rule=_RULE + "update", request=schema.ONE_INVENTORY, response=schema.ONE_INVENTORY)
def update_inventory(call: Call) -> Reply:
    """Replace what a provider has of one resource class."""
    body, name = dict(call.body), call.params["resource_class"]
    expected = body.pop("resource_provider_generation")
    item = checked(call, name, body)
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.expect(row, expected)
        have = store.inventories(c, [row.id]).get(row.id, {})
        if name not in have:
            raise Invalid(f"No inventory record with resource class {name:.80}: cannot update it.")
        store.set_inventories(c, row.id, have | {name: item})
        generation = store.bump(c, row.id, row.generation)
    return _shown(call, row, generation, item)


@routes.delete(_CLASS, rule=_RULE + "delete")
def delete_inventory(call: Call) -> Reply:
    """Remove what a provider has of one resource class; none of it may be in use."""
    name = call.params["resource_class"]
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        have = store.inventories(c, [row.id]).get(row.id, {})
        _one(row, have, name)
        store.set_inventories(c, row.id, {kind: item for kind, item in have.items() if kind != name})
        store.bump(c, row.id)
    return Reply()


@routes.get(f"{ONE}/usages", rule="placement:resource_providers:usages", response=schema.USAGES)
def list_usages(call: Call) -> Reply:
    """List how much of each resource class is allocated on a provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        used = store.used_on(c, [row.id]).get(row.id, {})
    body = {"resource_provider_generation": row.generation, "usages": used}
    return fresh(call, body, row.updated_at)

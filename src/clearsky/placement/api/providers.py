"""Resource providers and the version document."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.microversions import text
from clearsky.api.routing import PUBLIC, Routes
from clearsky.errors import Invalid
from clearsky.placement import asking, schema, store
from clearsky.placement import world as worlds
from clearsky.placement.api.kit import check_names, fresh, in_tree_of, parameters
from clearsky.placement.asking import Wanted
from clearsky.placement.versions import MICROVERSIONS
from clearsky.placement.world import Provider

routes = Routes()
ONE = "/resource_providers/{uuid}"
_RELATIONS = (
    ("self", "", (1, 0)), ("inventories", "/inventories", (1, 0)), ("usages", "/usages", (1, 0)),
    ("aggregates", "/aggregates", (1, 1)), ("traits", "/traits", (1, 6)), ("allocations", "/allocations", (1, 11)),
)  # fmt: skip


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
    shown["links"] = [
        {"rel": rel, "href": base + room} for rel, room, since in _RELATIONS if call.version >= since
    ]
    if call.version >= (1, 14):
        shown |= {"root_provider_uuid": row.root_id, "parent_provider_uuid": row.parent_id}
    return shown


def _parameters(call: Call) -> list[tuple[str, str]]:
    since = {
        "name": (1, 0), "uuid": (1, 0), "member_of": (1, 3), "resources": (1, 4), "in_tree": (1, 14), "required": (1, 18),
    }  # fmt: skip
    return parameters(call, [name for name, version in since.items() if call.version >= version])


@routes.get("/resource_providers", rule="placement:resource_providers:list", response=schema.PROVIDERS)
def list_providers(call: Call) -> Reply:
    """List resource providers by name, id, tree, aggregates, traits, and what must fit on each."""
    pairs = _parameters(call)
    plain = {name: call.query.get(name) for name in ("name", "uuid")}
    if plain["uuid"] is not None:
        plain["uuid"] = _uuid("uuid", plain["uuid"])
    rest = [pair for pair in pairs if pair[0] not in plain]
    group = next(iter(asking.parse(rest, call.version, groups=False).groups), Wanted())
    with call.house.db.read() as c:
        check_names(c, [group])
        world = worlds.look(call.house, c)
        group = replace(group, in_tree=in_tree_of(world, group)) if group.in_tree else group
        used = store.used_on(c) if group.resources else {}
        found = [
            one.id
            for one in world.providers.values()
            if plain["name"] in (None, one.name)
            and plain["uuid"] in (None, one.id)
            and _fits(one, group, used)
        ]
        rows = store.providers(c, found if len(found) < len(world.providers) else None)
    newest = max((row.updated_at for row in rows), default=None)
    return fresh(call, {"resource_providers": [view(call, row) for row in rows]}, newest)


def _fits(one: Provider, group: Wanted, used: dict[str, dict[str, int]]) -> bool:
    if not group.allows(one) or not all(some & one.traits for some in group.required):
        return False
    mine = used.get(one.id, {})
    return all(
        name in one.inventories and one.inventories[name].fits(amount, mine.get(name, 0))
        for name, amount in group.resources.items()
    )


def _uuid(key: str, value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError as error:
        raise Invalid(f"Invalid query string parameters: {key} = {value!r:.80} is no UUID") from error


@routes.post(
    "/resource_providers",
    rule="placement:resource_providers:create",
    request=schema.PROVIDER_CREATE,
    response=schema.PROVIDER,
)
def create_provider(call: Call) -> Reply:
    """Create a resource provider, at the root or below another one."""
    id = str(uuid.UUID(call.body["uuid"])) if "uuid" in call.body else str(uuid.uuid4())
    with call.house.db.write() as c:
        row = store.create_provider(c, id, call.body["name"], _parent(call))
    headers = {"Location": f"{call.base_url}/resource_providers/{id}"}
    if call.version < (1, 20):
        return Reply(None, 201, headers)
    reply = fresh(call, view(call, row), row.updated_at, 200)
    reply.headers |= headers
    return reply


def _parent(call: Call) -> str | None:
    parent = call.body.get("parent_provider_uuid")
    return str(uuid.UUID(parent)) if parent else None


@routes.get(ONE, rule="placement:resource_providers:show", response=schema.PROVIDER)
def show_provider(call: Call) -> Reply:
    """Show a resource provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
    return fresh(call, view(call, row), row.updated_at)


@routes.put(
    ONE,
    rule="placement:resource_providers:update",
    request=schema.PROVIDER_UPDATE,
    response=schema.PROVIDER,
)
def update_provider(call: Call) -> Reply:
    """Rename a resource provider, or put it below another one."""
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        parent_id = _parent(call) if "parent_provider_uuid" in call.body else row.parent_id
        row = store.change_provider(c, row, call.body["name"], parent_id, may_move=call.version >= (1, 37))
    return fresh(call, view(call, row), row.updated_at)


@routes.delete(ONE, rule="placement:resource_providers:delete")
def delete_provider(call: Call) -> Reply:
    """Delete a resource provider on which nothing is allocated and below which there is none."""
    with call.house.db.write() as c:
        store.remove_provider(c, call.params["uuid"])
    return Reply()

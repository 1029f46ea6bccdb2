"""Traits, resource classes, aggregates: what providers are, what they count in, what they belong to."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import schema, standard, store
from clearsky.placement import tables as t
from clearsky.placement.api.kit import fresh, parameters
from clearsky.placement.api.providers import ONE

routes = Routes()

# -- traits -----------------------------------------------------------------------------------------------------


@routes.get("/traits", rule="placement:traits:list", since=(1, 6), response=schema.TRAITS)
def list_traits(call: Call) -> Reply:
    """List traits: all, some by name, those that a provider has."""
    parameters(call, ("name", "associated"))
    with call.house.db.read() as c:
        found = store.known_traits(c)
        if "associated" in call.query:
            held = set(c.execute(select(t.provider_traits.c.trait).distinct()).scalars())
            wanted = _flag(call.query["associated"])
            found = [name for name in found if (name in held) == wanted]
    if "name" in call.query:
        how, _, what = call.query["name"].partition(":")
        if how == "startswith":
            found = [name for name in found if name.startswith(what)]
        elif how == "in":
            names = set(what.split(","))
            found = [name for name in found if name in names]
        else:
            raise Invalid("Badly formatted name parameter. Expected name=startswith:PREFIX or name=in:A,B.")
    return fresh(call, {"traits": found})


def _flag(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0", "t", "f", "yes", "no"):
        raise Invalid(f'The query parameter "associated" only accepts "true" or "false": {text!r:.40}')
    return text.lower() in ("true", "1", "t", "yes")


@routes.get("/traits/{name}", rule="placement:traits:show", since=(1, 6), status=204)
def show_trait(call: Call) -> Reply:
    """Say whether there is a trait."""
    with call.house.db.read() as c:
        if call.params["name"] not in store.known_traits(c):
            raise NotFound(f"No such trait {call.params['name']:.80}")
    return fresh(call, None)


@routes.put("/traits/{name}", rule="placement:traits:update", since=(1, 6), status=204)
def create_trait(call: Call) -> Reply:
    """Make a custom trait; one that is there is as good."""
    name = call.params["name"]
    if not name.startswith(standard.CUSTOM) or not standard.NAME.fullmatch(name):
        raise Invalid(
            f"The trait {name!r:.80} is invalid. A valid trait must be prefixed with CUSTOM_ and use A-Z, 0-9, _."
        )
    with call.house.db.write() as c:
        made = store.ensure_trait(c, name)
    reply = fresh(call, None, status=201 if made else 204)
    reply.headers["Location"] = f"{call.base_url}/traits/{name}"
    return reply


@routes.delete("/traits/{name}", rule="placement:traits:delete", since=(1, 6))
def delete_trait(call: Call) -> Reply:
    """Remove a custom trait that no provider has."""
    with call.house.db.write() as c:
        store.remove_trait(c, call.params["name"])
    return Reply()


_TRAITS, _RULE = f"{ONE}/traits", "placement:resource_providers:traits:"


@routes.get(_TRAITS, rule=_RULE + "list", since=(1, 6), response=schema.PROVIDER_TRAITS)
def list_provider_traits(call: Call) -> Reply:
    """List a provider's traits."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        found = sorted(store.traits(c, row.id))
    return fresh(call, {"resource_provider_generation": row.generation, "traits": found}, row.updated_at)


@routes.put(
    _TRAITS,
    rule=_RULE + "update",
    since=(1, 6),
    request=schema.PROVIDER_TRAITS,
    response=schema.PROVIDER_TRAITS,
)
def update_provider_traits(call: Call) -> Reply:
    """Replace a provider's traits."""
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.expect(row, call.body["resource_provider_generation"])
        store.set_traits(c, row.id, call.body["traits"])
        generation = store.bump(c, row.id, row.generation)
    body = {"resource_provider_generation": generation, "traits": sorted(call.body["traits"])}
    return fresh(call, body)


@routes.delete(_TRAITS, rule=_RULE + "delete", since=(1, 6))
def delete_provider_traits(call: Call) -> Reply:
    """Remove all traits of a provider."""
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        store.set_traits(c, row.id, [])
        store.bump(c, row.id)
    return Reply()


# -- resource classes -------------------------------------------------------------------------------------------

_CLASSES, _CLASS = "/resource_classes", "/resource_classes/{name}"


def _view(call: Call, name: str) -> dict[str, Any]:
    return {"name": name, "links": [{"rel": "self", "href": f"/placement/resource_classes/{name}"}]}


@routes.get(_CLASSES, rule="placement:resource_classes:list", since=(1, 2), response=schema.RESOURCE_CLASSES)
def list_classes(call: Call) -> Reply:
    """List resource classes."""
    with call.house.db.read() as c:
        found = store.known_classes(c)
    return fresh(call, {"resource_classes": [_view(call, name) for name in found]})


@routes.post(
    _CLASSES, rule="placement:resource_classes:create", since=(1, 2), status=201, request=schema.NEW_CLASS
)
def create_class(call: Call) -> Reply:
    """Make a custom resource class."""
    name = call.body["name"]
    with call.house.db.write() as c:
        if not store.ensure_class(c, name):
            raise Conflict(f"Conflicting resource class already exists: {name}")
    return Reply(None, 201, {"Location": f"{call.base_url}/resource_classes/{name}"})


def _known(c: Any, name: str) -> str:
    if name not in store.known_classes(c):
        raise NotFound(f"No resource class with name {name:.80} found")
    return name


@routes.get(_CLASS, rule="placement:resource_classes:show", since=(1, 2), response=schema.RESOURCE_CLASS)
def show_class(call: Call) -> Reply:
    """Show a resource class."""
    with call.house.db.read() as c:
        return fresh(call, _view(call, _known(c, call.params["name"])))


@routes.put(_CLASS, rule="placement:resource_classes:update", since=(1, 7), status=204)
def ensure_class(call: Call) -> Reply:
    """Make a custom resource class; one that is there is as good."""
    name = call.params["name"]
    if not name.startswith(standard.CUSTOM) or not standard.NAME.fullmatch(name):
        raise Invalid(f"The resource class {name!r:.80} must be prefixed with CUSTOM_ and use A-Z, 0-9, _.")
    with call.house.db.write() as c:
        made = store.ensure_class(c, name)
    place = {"Location": f"{call.base_url}/resource_classes/{name}"}
    return Reply(None, 201 if made else 204, place)


@routes.put(
    _CLASS,
    rule="placement:resource_classes:update",
    since=(1, 2),
    until=(1, 6),
    request=schema.NEW_CLASS,
    response=schema.RESOURCE_CLASS,
)
def rename_class(call: Call) -> Reply:
    """Give a custom resource class that nobody uses another name, as before 1.7."""
    old, new = call.params["name"], call.body["name"]
    with call.house.db.write() as c:
        _known(c, old)
        if new != old:
            store.remove_class(c, old)
            if not store.ensure_class(c, new):
                raise Conflict(f"Resource class already exists: {new}")
    return Reply(_view(call, new))


@routes.delete(_CLASS, rule="placement:resource_classes:delete", since=(1, 2))
def delete_class(call: Call) -> Reply:
    """Remove a custom resource class that no provider has."""
    with call.house.db.write() as c:
        store.remove_class(c, call.params["name"])
    return Reply()


# -- aggregates -------------------------------------------------------------------------------------------------

_AGGREGATES = f"{ONE}/aggregates"


def _aggregates(call: Call, row: Any, generation: int, found: set[str]) -> Reply:
    body: dict[str, Any] = {"aggregates": sorted(found)}
    if call.version >= (1, 19):
        body["resource_provider_generation"] = generation
    return fresh(call, body, row.updated_at)


@routes.get(
    _AGGREGATES,
    rule="placement:resource_providers:aggregates:list",
    since=(1, 1),
    response=schema.AGGREGATES_SHOWN,
)
def list_aggregates(call: Call) -> Reply:
    """List the aggregates that a provider belongs to."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        return _aggregates(call, row, row.generation, store.aggregates(c, row.id))


def _set_aggregates(call: Call, ids: list[str], expected: int | None) -> Reply:
    wanted = {str(uuid.UUID(id)) for id in ids}
    with call.house.db.write() as c:
        row = store.provider(c, call.params["uuid"])
        generation = row.generation
        if expected is not None:
            store.expect(row, expected)
        store.set_aggregates(c, row.id, wanted)
        if expected is not None:
            generation = store.bump(c, row.id, row.generation)
    return _aggregates(call, row, generation, wanted)


@routes.put(
    _AGGREGATES,
    rule="placement:resource_providers:aggregates:update",
    since=(1, 19),
    request=schema.AGGREGATES,
    response=schema.AGGREGATES_SHOWN,
)
def update_aggregates(call: Call) -> Reply:
    """Replace the aggregates that a provider belongs to."""
    return _set_aggregates(call, call.body["aggregates"], call.body["resource_provider_generation"])


@routes.put(
    _AGGREGATES,
    rule="placement:resource_providers:aggregates:update",
    since=(1, 1),
    until=(1, 18),
    request=schema.AGGREGATES_OLD,
    response=schema.AGGREGATES_SHOWN,
)
def update_aggregates_blindly(call: Call) -> Reply:
    """Replace the aggregates that a provider belongs to, whoever else has changed them."""
    return _set_aggregates(call, call.body, None)

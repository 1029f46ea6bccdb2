"""Who holds what: consumers and their allocations, by project, and all at once."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import schema, store
from clearsky.placement.api.inventories import checked
from clearsky.placement.api.kit import fresh, parameters
from clearsky.placement.api.providers import ONE

routes = Routes()
_ALLOCATIONS = "/allocations/{consumer_uuid}"
UNKNOWN = "unknown"
"""What a consumer without type is called; and its project, where whoever made it knew of none."""
_NOBODY = "00000000-0000-0000-0000-000000000000"


@routes.get(
    f"{ONE}/allocations", rule="placement:resource_providers:allocations:list", response=schema.ALLOCATIONS
)
def list_provider_allocations(call: Call) -> Reply:
    """List who holds what on a provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        held = store.allocations_on(c, row.id)
    found = {consumer: {"resources": resources} for consumer, resources in held.items()}
    body = {"allocations": found, "resource_provider_generation": row.generation}
    return fresh(call, body, row.updated_at)


@routes.get(_ALLOCATIONS, rule="placement:allocations:list", response=schema.ALLOCATIONS)
def show_allocations(call: Call) -> Reply:
    """Show what a consumer holds; nothing is an empty answer."""
    with call.house.db.read() as c:
        held = store.allocations_of(c, call.params["consumer_uuid"])
        generations = {row.id: row.generation for row in store.providers(c, held)} if held else {}
        consumer = store.consumer(c, call.params["consumer_uuid"])
    body: dict[str, Any] = {
        "allocations": {id: {"resources": r, "generation": generations[id]} for id, r in held.items()}
    }
    if consumer is not None and call.version >= (1, 12):
        body |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
    if consumer is not None and call.version >= (1, 28):
        body["consumer_generation"] = consumer.generation
    if consumer is not None and call.version >= (1, 38):
        body["consumer_type"] = consumer.type or UNKNOWN
    return fresh(call, body)


@dataclass(frozen=True, slots=True)
class _Change:
    consumer_id: str
    project_id: str
    user_id: str
    kind: str | None
    expected: int | None
    """Generation; None: there must be none yet."""
    checked: bool
    """Whether the client knows of generations."""
    held: dict[str, dict[str, int]]


def _change(call: Call, consumer_id: str, body: dict[str, Any]) -> _Change:
    given = body["allocations"]
    if isinstance(given, list):
        pairs = [(item["resource_provider"]["uuid"], item["resources"]) for item in given]
    else:
        pairs = [(id, item["resources"]) for id, item in given.items()]
    held = {str(uuid.UUID(id)): dict(resources) for id, resources in pairs}
    for id in {id for ids in body.get("mappings", {}).values() for id in ids}:
        if str(uuid.UUID(id)) not in held:
            raise Invalid(f"mappings names {id}: it is not among the allocations.")
    return _Change(
        consumer_id=str(uuid.UUID(consumer_id)),
        project_id=body.get("project_id", _NOBODY),
        user_id=body.get("user_id", _NOBODY),
        kind=body.get("consumer_type"),
        expected=body.get("consumer_generation"),
        checked=call.version >= (1, 28),
        held=held,
    )


def _apply(c: Connection, changes: list[_Change]) -> None:
    for change in changes:
        known = store.consumer(c, change.consumer_id)
        if change.checked and (known.generation if known is not None else None) != change.expected:
            told = "null" if known is None else known.generation
            raise Conflict(
                f"consumer generation conflict - expected {told} but got {change.expected}: {change.consumer_id}",
                kind="placement.concurrent_update",
            )
    store.replace_allocations(
        c, {one.consumer_id: (one.project_id, one.user_id, one.kind, one.held) for one in changes}
    )


def _put(call: Call) -> Reply:
    try:
        change = _change(call, call.params["consumer_uuid"], call.body)
    except ValueError as error:
        raise Invalid(f"consumer_uuid = {call.params['consumer_uuid']!r:.80} is no UUID") from error
    with call.house.db.write() as c:
        _apply(c, [change])
    return Reply()


@routes.put(
    _ALLOCATIONS,
    rule="placement:allocations:update",
    status=204,
    since=(1, 28),
    request=schema.ALLOCATIONS_PUT,
)
def update_allocations(call: Call) -> Reply:
    """Replace what a consumer holds; nothing forgets it."""
    return _put(call)


@routes.put(
    _ALLOCATIONS,
    rule="placement:allocations:update",
    status=204,
    since=(1, 12),
    until=(1, 27),
    request=schema.ALLOCATIONS_BEFORE_1_28,
)
def update_allocations_blindly(call: Call) -> Reply:
    """Replace what a consumer holds, whoever else has changed it."""
    return _put(call)


@routes.put(
    _ALLOCATIONS,
    rule="placement:allocations:update",
    status=204,
    since=(1, 8),
    until=(1, 11),
    request=schema.ALLOCATIONS_BEFORE_1_12,
)
def update_allocations_from_list(call: Call) -> Reply:
    """Replace what a consumer holds, in the shape that was before 1.12."""
    return _put(call)


@routes.put(
    _ALLOCATIONS,
    rule="placement:allocations:update",
    status=204,
    until=(1, 7),
    request=schema.ALLOCATIONS_BEFORE_1_8,
)
def update_allocations_of_nobody(call: Call) -> Reply:
    """Replace what a consumer holds, without saying whose it is, as before 1.8."""
    return _put(call)


@routes.post(
    "/allocations",
    rule="placement:allocations:manage",
    status=204,
    since=(1, 13),
    request=schema.ALLOCATIONS_POST,
)
def manage_allocations(call: Call) -> Reply:
    """Replace what several consumers hold, all or nothing."""
    changes = [_change(call, id, body) for id, body in call.body.items()]
    with call.house.db.write() as c:
        _apply(c, changes)
    return Reply()


@routes.delete(_ALLOCATIONS, rule="placement:allocations:delete")
def delete_allocations(call: Call) -> Reply:
    """Give back everything a consumer holds."""
    id = call.params["consumer_uuid"]
    with call.house.db.write() as c:
        if not store.allocations_of(c, id):
            raise NotFound(f"No allocations for consumer '{id:.80}'")
        store.replace_allocations(c, {id: ("", "", None, {})})
    return Reply()


@routes.get("/usages", rule="placement:usages", response=schema.USAGES, since=(1, 9))
def list_project_usages(call: Call) -> Reply:
    """List how much a project has allocated, since 1.38 by type of consumer."""
    typed = call.version >= (1, 38)
    parameters(call, ("project_id", "user_id", *(("consumer_type",) if typed else ())))
    project_id, kind = call.query.get("project_id"), call.query.get("consumer_type", "all")
    if not project_id:
        raise Invalid(
            "project_id is missing: say whose usage is wanted", kind="placement.query.missing_value"
        )
    call.authorize("placement:usages", project_id=project_id)
    with call.house.db.read() as c:
        found = store.project_usages(c, project_id, call.query.get("user_id"))
    if not typed or (kind == "all" and "consumer_type" in call.query):
        total: dict[str, int] = {}
        for _, used in found.values():
            for name, amount in used.items():
                total[name] = total.get(name, 0) + amount
        if not typed:
            return fresh(call, {"usages": total})
        count = sum(number for number, _ in found.values())
        return fresh(call, {"usages": {"all": total | {"consumer_count": count}} if found else {}})
    shown = {
        (one or UNKNOWN): used | {"consumer_count": count}
        for one, (count, used) in found.items()
        if "consumer_type" not in call.query or (one or UNKNOWN) == kind
    }
    return fresh(call, {"usages": shown})


@routes.post(
    "/reshaper", rule="placement:reshaper:reshape", status=204, since=(1, 30), request=schema.RESHAPER
)
def reshape(call: Call) -> Reply:
    """Move inventories and the allocations on them at once, all or nothing."""
    changes = [_change(call, id, body) for id, body in call.body["allocations"].items()]
    with call.house.db.write() as c:
        final = {}
        for id, body in call.body["inventories"].items():
            try:
                row = store.provider(c, str(uuid.UUID(id)))
            except NotFound as error:
                raise Invalid(f"inventories names resource provider {id}: there is none.") from error
            store.expect(row, body["resource_provider_generation"])
            final[row.id] = {name: checked(call, name, item) for name, item in body["inventories"].items()}
        have = store.inventories(c, final)
        # First everything that is there before or after, so that the allocations can move; then what stays.
        for id, wanted in final.items():
            store.set_inventories(c, id, have.get(id, {}) | wanted)
        _apply(c, changes)
        for id, wanted in final.items():
            store.set_inventories(c, id, wanted)
            store.bump(c, id)
    return Reply()

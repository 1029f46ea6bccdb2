"""SQL of consumers and of what they hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from clearsky.db.engine import lock
from clearsky.errors import Conflict, Invalid
from clearsky.placement import tables as t
from clearsky.placement.store import names
from clearsky.placement.store.providers import bump, inventories

Held = dict[str, dict[str, int]]
"""Provider -> resource class -> amount."""
a, i = t.allocations.c, t.inventories.c


def allocations_of(c: Connection, consumer_id: str) -> Held:
    found: Held = defaultdict(dict)
    for row in c.execute(select(t.allocations).where(a.consumer_id == consumer_id)):
        found[row.provider_id][row.resource_class] = row.used
    return dict(found)


def allocations_on(c: Connection, provider_id: str) -> Held:
    """Return consumer -> resource class -> amount."""
    found: Held = defaultdict(dict)
    for row in c.execute(select(t.allocations).where(a.provider_id == provider_id)):
        found[row.consumer_id][row.resource_class] = row.used
    return dict(found)


def used_on(c: Connection, ids: Iterable[str] | None = None) -> Held:
    query = select(i.provider_id, i.resource_class, i.used)
    if ids is not None:
        query = query.where(i.provider_id.in_(list(ids)))
    found: Held = defaultdict(dict)
    for provider_id, name, used in c.execute(query):
        found[provider_id][name] = used
    return found


def consumer(c: Connection, id: str) -> Any:
    return c.execute(select(t.consumers).where(t.consumers.c.id == id)).first()


def project_usages(
    c: Connection, project_id: str, user_id: str | None
) -> dict[str | None, tuple[int, dict[str, int]]]:
    """Return consumer type -> (how many consumers, resource class -> amount)."""
    k = t.consumers.c
    where = [k.project_id == project_id] + ([k.user_id == user_id] if user_id else [])
    counts: dict[str | None, int] = dict(
        c.execute(select(k.type, func.count()).where(*where).group_by(k.type)).all()
    )
    query = select(k.type, a.resource_class, func.sum(a.used)).join(t.consumers, k.id == a.consumer_id)
    found: dict[str | None, tuple[int, dict[str, int]]] = {
        kind: (int(count), {}) for kind, count in counts.items()
    }
    for kind, name, used in c.execute(query.where(*where).group_by(k.type, a.resource_class)):
        found[kind][1][name] = int(used)
    return found


def claim(
    c: Connection, consumer_id: str, project_id: str, user_id: str, wanted: Held, kind: str | None
) -> None:
    """Replace what one consumer holds; raises Conflict where it does not fit."""
    replace_allocations(c, {consumer_id: (project_id, user_id, kind, wanted)})


def replace_allocations(c: Connection, wanted: dict[str, tuple[str, str, str | None, Held]]) -> None:
    """Replace what consumers hold: id -> (project, user, type, allocations); nothing held forgets a consumer.

    Raises Conflict where something does not fit, Invalid for a provider or class that does not exist.
    """
    before = c.execute(select(a.provider_id).where(a.consumer_id.in_(list(wanted))).distinct()).scalars()
    after = {id for *_, held in wanted.values() for id in held}
    touched = sorted({*before, *after})
    for id in touched:
        lock(c, f"placement:{id}")
    c.execute(delete(t.allocations).where(a.consumer_id.in_(list(wanted))))
    rows = [
        {"consumer_id": consumer_id, "provider_id": id, "resource_class": name, "used": amount}
        for consumer_id, (*_, held) in wanted.items()
        for id, resources in held.items()
        for name, amount in resources.items()
    ]
    _check(c, after, rows)
    if rows:
        c.execute(insert(t.allocations), rows)
    _add_up(c, touched)
    for id in touched:
        bump(c, id)
    for consumer_id, (project_id, user_id, kind, held) in wanted.items():
        _keep(c, consumer_id, project_id, user_id, kind, anything=bool(held))


def _check(c: Connection, ids: set[str], rows: list[dict[str, Any]]) -> None:
    there = set(c.execute(select(t.providers.c.id).where(t.providers.c.id.in_(ids))).scalars())
    if missing := sorted(ids - there):
        raise Invalid(f"Allocation for resource provider '{missing[0]}' that does not exist.")
    names.need_classes(c, {row["resource_class"] for row in rows})
    has = inventories(c, ids)
    query = select(a.provider_id, a.resource_class, func.sum(a.used)).where(a.provider_id.in_(ids))
    used: dict[tuple[str, str], int] = defaultdict(int)
    for id, name, amount in c.execute(query.group_by(a.provider_id, a.resource_class)):
        used[id, name] = int(amount)
    for row in rows:
        id, name, amount = row["provider_id"], row["resource_class"], row["used"]
        inventory = has.get(id, {}).get(name)
        if inventory is None or not inventory.fits(amount, used[id, name]):
            why = (
                "it has none"
                if inventory is None
                else f"capacity {inventory.capacity}, used {used[id, name]}"
            )
            raise Conflict(f"Unable to allocate inventory: {amount} of {name} does not fit on {id}: {why}.")
        used[id, name] += amount


def _add_up(c: Connection, ids: list[str]) -> None:
    """Write down how much of each inventory is used now."""
    total = select(func.coalesce(func.sum(a.used), 0)).where(
        a.provider_id == i.provider_id, a.resource_class == i.resource_class
    )
    c.execute(update(t.inventories).where(i.provider_id.in_(ids)).values(used=total.scalar_subquery()))


def _keep(c: Connection, id: str, project_id: str, user_id: str, kind: str | None, *, anything: bool) -> None:
    k = t.consumers
    if not anything:
        c.execute(delete(k).where(k.c.id == id))
        return
    values: dict[str, Any] = {"project_id": project_id, "user_id": user_id}
    if kind is not None:
        values["type"] = kind
    known = update(k).where(k.c.id == id).values(generation=k.c.generation + 1, **values)
    if not c.execute(known).rowcount:
        c.execute(insert(k).values(id=id, **values))

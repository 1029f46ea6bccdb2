"""All SQL of the Placement service."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.engine import lock
from clearsky.errors import Conflict, NotFound
from clearsky.placement import tables as t


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a provider has of one resource class; units as the class has them (VCPU, MEMORY_MB, DISK_GB)."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        return int((self.total - self.reserved) * self.allocation_ratio)

    def fits(self, amount: int, used: int) -> bool:
        whole = self.min_unit <= amount <= self.max_unit and amount % self.step_size == 0
        return whole and used + amount <= self.capacity


def provider(c: Connection, id: str) -> Any:
    row = c.execute(select(t.providers).where(t.providers.c.id == id)).first()
    if row is None:
        raise NotFound(f"No resource provider with uuid {id} found")
    return row


def providers(c: Connection, *, name: str | None = None, id: str | None = None) -> list[Any]:
    query = select(t.providers).order_by(t.providers.c.name)
    if name is not None:
        query = query.where(t.providers.c.name == name)
    if id is not None:
        query = query.where(t.providers.c.id == id)
    return list(c.execute(query))


def create_provider(c: Connection, id: str, name: str) -> None:
    try:
        c.execute(insert(t.providers).values(id=id, name=name, updated_at=time.time()))
    except IntegrityError as error:
        raise Conflict(
            f"Conflicting resource provider name or uuid: {name}, {id}", kind="placement.duplicate_name"
        ) from error


def bump(c: Connection, id: str, expected: int | None = None) -> int:
    """Move a provider's generation on; raises Conflict where it is not the one expected."""
    p = t.providers.c
    change = update(t.providers).where(p.id == id).values(generation=p.generation + 1, updated_at=time.time())
    if expected is not None:
        change = change.where(p.generation == expected)
    value = c.execute(change.returning(p.generation)).scalar()
    if value is None:
        provider(c, id)
        raise Conflict(
            f"resource provider {id} was changed meanwhile: its generation is not {expected}",
            kind="placement.concurrent_update",
        )
    return int(value)


def inventories(c: Connection, ids: Iterable[str] | None = None) -> dict[str, dict[str, Inventory]]:
    query = select(t.inventories)
    if ids is not None:
        query = query.where(t.inventories.c.provider_id.in_(list(ids)))
    found: dict[str, dict[str, Inventory]] = defaultdict(dict)
    for row in c.execute(query):
        values = {name: getattr(row, name) for name in Inventory.__slots__}
        found[row.provider_id][row.resource_class] = Inventory(**values)
    return found


def set_inventories(c: Connection, id: str, wanted: dict[str, Inventory]) -> None:
    """Replace what a provider has; raises Conflict where something that is in use would go."""
    used = usages(c, [id]).get(id, {})
    if lost := sorted(name for name, amount in used.items() if amount and name not in wanted):
        raise Conflict(
            f"Inventory for {', '.join(lost)} on resource provider {id} in use",
            kind="placement.inventory.inuse",
        )
    c.execute(delete(t.inventories).where(t.inventories.c.provider_id == id))
    if wanted:
        rows = [{"provider_id": id, "resource_class": name} | asdict(item) for name, item in wanted.items()]
        c.execute(insert(t.inventories), rows)


def traits(c: Connection, ids: Iterable[str] | None = None) -> dict[str, set[str]]:
    query = select(t.provider_traits)
    if ids is not None:
        query = query.where(t.provider_traits.c.provider_id.in_(list(ids)))
    found: dict[str, set[str]] = defaultdict(set)
    for row in c.execute(query):
        found[row.provider_id].add(row.trait)
    return found


def set_traits(c: Connection, id: str, wanted: Iterable[str]) -> None:
    c.execute(delete(t.provider_traits).where(t.provider_traits.c.provider_id == id))
    if rows := [{"provider_id": id, "trait": name} for name in sorted(set(wanted))]:
        c.execute(insert(t.provider_traits), rows)


def aggregates(c: Connection, id: str) -> set[str]:
    a = t.provider_aggregates.c
    return set(c.execute(select(a.aggregate_id).where(a.provider_id == id)).scalars())


def set_aggregates(c: Connection, id: str, wanted: Iterable[str]) -> None:
    c.execute(delete(t.provider_aggregates).where(t.provider_aggregates.c.provider_id == id))
    if rows := [{"provider_id": id, "aggregate_id": name} for name in sorted(set(wanted))]:
        c.execute(insert(t.provider_aggregates), rows)


def usages(c: Connection, ids: Iterable[str] | None = None) -> dict[str, dict[str, int]]:
    a = t.allocations.c
    query = select(a.provider_id, a.resource_class, func.sum(a.used)).group_by(
        a.provider_id, a.resource_class
    )
    if ids is not None:
        query = query.where(a.provider_id.in_(list(ids)))
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for provider_id, name, used in c.execute(query):
        found[provider_id][name] = int(used)
    return found


def project_usages(c: Connection, project_id: str, user_id: str | None) -> dict[str, int]:
    a = t.allocations.c
    query = (
        select(a.resource_class, func.sum(a.used))
        .join(t.consumers, t.consumers.c.id == a.consumer_id)
        .where(t.consumers.c.project_id == project_id)
        .group_by(a.resource_class)
    )
    if user_id:
        query = query.where(t.consumers.c.user_id == user_id)
    return {name: int(used) for name, used in c.execute(query)}


def consumer_count(c: Connection, project_id: str) -> int:
    query = select(func.count()).select_from(t.consumers).where(t.consumers.c.project_id == project_id)
    return int(c.execute(query).scalar_one())


def allocations_of(c: Connection, consumer_id: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in c.execute(select(t.allocations).where(t.allocations.c.consumer_id == consumer_id)):
        found[row.provider_id][row.resource_class] = row.used
    return dict(found)


def allocations_on(c: Connection, provider_id: str) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in c.execute(select(t.allocations).where(t.allocations.c.provider_id == provider_id)):
        found[row.consumer_id][row.resource_class] = row.used
    return dict(found)


def consumer(c: Connection, id: str) -> Any:
    return c.execute(select(t.consumers).where(t.consumers.c.id == id)).first()


def claim(
    c: Connection,
    consumer_id: str,
    project_id: str,
    user_id: str,
    wanted: dict[str, dict[str, int]],
    kind: str = "INSTANCE",
) -> None:
    """Replace a consumer's allocations (provider -> class -> amount); raises Conflict where one does not fit."""
    for id in sorted(wanted):
        lock(c, f"placement:{id}")
    remove_allocations(c, consumer_id)
    has, used = inventories(c, wanted), usages(c, wanted)
    rows = []
    for id, resources in wanted.items():
        provider(c, id)
        for name, amount in resources.items():
            inventory = has.get(id, {}).get(name)
            if inventory is None or not inventory.fits(amount, used.get(id, {}).get(name, 0)):
                raise Conflict(f"Unable to allocate inventory: {amount} of {name} does not fit on {id}")
            rows.append(
                {"consumer_id": consumer_id, "provider_id": id, "resource_class": name, "used": amount}
            )
        bump(c, id)
    if not rows:
        return
    c.execute(insert(t.allocations), rows)
    c.execute(insert(t.consumers).values(id=consumer_id, project_id=project_id, user_id=user_id, type=kind))


def remove_allocations(c: Connection, consumer_id: str) -> int:
    c.execute(delete(t.consumers).where(t.consumers.c.id == consumer_id))
    return c.execute(delete(t.allocations).where(t.allocations.c.consumer_id == consumer_id)).rowcount


def remove_provider(c: Connection, id: str) -> None:
    provider(c, id)
    if allocations_on(c, id):
        raise Conflict(
            f"Unable to delete resource provider {id}: it has allocations",
            kind="placement.resource_provider.inuse",
        )
    for table in (t.inventories, t.provider_traits, t.provider_aggregates):
        c.execute(delete(table).where(table.c.provider_id == id))
    c.execute(delete(t.providers).where(t.providers.c.id == id))

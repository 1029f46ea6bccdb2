"""SQL of resource providers and of what they have."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from clearsky.db.engine import lock
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import tables as t
from clearsky.placement.store import names

p, i = t.providers.c, t.inventories.c
UNLIMITED = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a provider has of one resource class; units as the class has them (VCPU, MEMORY_MB, DISK_GB)."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = UNLIMITED
    step_size: int = 1
    allocation_ratio: float = 1.0

    @property
    def capacity(self) -> int:
        return int((self.total - self.reserved) * self.allocation_ratio)

    def fits(self, amount: int, used: int) -> bool:
        whole = self.min_unit <= amount <= self.max_unit and amount % self.step_size == 0
        return whole and used + amount <= self.capacity


def touch(c: Connection) -> None:
    """Say that something about providers has changed: pictures of them that processes keep are old."""
    value = secrets.token_hex(8)
    if not c.execute(update(t.revision).where(t.revision.c.name == "world").values(value=value)).rowcount:
        lock(c, "placement-revision")
        c.execute(insert(t.revision).values(name="world", value=value))


def provider(c: Connection, id: str) -> Any:
    row = c.execute(select(t.providers).where(p.id == id)).first()
    if row is None:
        raise NotFound(
            f"No resource provider with uuid {id} found", kind="placement.resource_provider.not_found"
        )
    return row


def providers(c: Connection, ids: Iterable[str] | None = None) -> list[Any]:
    query = select(t.providers).order_by(p.name)
    return list(c.execute(query if ids is None else query.where(p.id.in_(list(ids)))))


def create_provider(c: Connection, id: str, name: str, parent_id: str | None = None) -> Any:
    root_id = id
    if parent_id is not None:
        if parent_id == id:
            raise Invalid(
                f"Unable to save resource provider {id}: parent provider UUID cannot be same as UUID."
            )
        root_id = _parent(c, parent_id).root_id
    values = {"id": id, "name": name, "parent_id": parent_id, "root_id": root_id, "updated_at": time.time()}
    try:
        row = c.execute(insert(t.providers).values(**values).returning(t.providers)).one()
    except IntegrityError as error:
        raise Conflict(
            f"Conflicting resource provider name: {name} or uuid: {id} already exists.",
            kind="placement.duplicate_name",
        ) from error
    touch(c)
    return row


def _parent(c: Connection, id: str) -> Any:
    row = c.execute(select(t.providers).where(p.id == id)).first()
    if row is None:
        raise Invalid(f"parent_provider_uuid = {id}: no such resource provider exists.")
    return row


def change_provider(c: Connection, row: Any, name: str, parent_id: str | None, *, may_move: bool) -> Any:
    """Rename a provider, or put it (with what is below it) under another parent."""
    values: dict[str, Any] = {"name": name, "updated_at": time.time()}
    if parent_id != row.parent_id:
        if row.parent_id is not None and not may_move:
            raise Invalid(
                f"Unable to save resource provider {row.id}: re-parenting a provider is not possible before 1.37."
            )
        below = _below(c, row)
        if parent_id in below:
            raise Invalid(
                f"Unable to save resource provider {row.id}: creating loop in the provider tree is not allowed."
            )
        root_id = row.id if parent_id is None else _parent(c, parent_id).root_id
        values["parent_id"] = parent_id
        c.execute(update(t.providers).where(p.id.in_(below)).values(root_id=root_id))
    try:
        changed = update(t.providers).where(p.id == row.id).values(**values).returning(t.providers)
        row = c.execute(changed).one()
    except IntegrityError as error:
        raise Conflict(
            f"Conflicting resource provider {name} already exists.", kind="placement.duplicate_name"
        ) from error
    touch(c)
    return row


def _below(c: Connection, row: Any) -> set[str]:
    """Return a provider and everything below it."""
    children: dict[str, list[str]] = defaultdict(list)
    for one in c.execute(select(p.id, p.parent_id).where(p.root_id == row.root_id)):
        if one.parent_id:
            children[one.parent_id].append(one.id)
    found, left = set(), [row.id]
    while left:
        id = left.pop()
        found.add(id)
        left += children[id]
    return found


def remove_provider(c: Connection, id: str) -> None:
    provider(c, id)
    if c.execute(select(p.id).where(p.parent_id == id).limit(1)).first():
        raise Conflict(
            f"Unable to delete parent resource provider {id}: It has child resource providers.",
            kind="placement.resource_provider.cannot_delete_parent",
        )
    if c.execute(
        select(t.allocations.c.consumer_id).where(t.allocations.c.provider_id == id).limit(1)
    ).first():
        raise Conflict(
            f"Unable to delete resource provider {id}: Resource provider has allocations.",
            kind="placement.resource_provider.inuse",
        )
    for table in (t.inventories, t.provider_traits, t.provider_aggregates):
        c.execute(delete(table).where(table.c.provider_id == id))
    c.execute(delete(t.providers).where(p.id == id))
    touch(c)


def expect(row: Any, generation: int) -> None:
    """Raise Conflict where the provider is not at the generation that the client knows."""
    if row.generation != generation:
        raise Conflict(
            f"resource provider generation conflict: {row.id} is at {row.generation}, not at {generation}",
            kind="placement.concurrent_update",
        )


def bump(c: Connection, id: str, expected: int | None = None) -> int:
    """Move a provider's generation on; raises Conflict where it is not the one expected."""
    change = update(t.providers).where(p.id == id).values(generation=p.generation + 1, updated_at=time.time())
    if expected is not None:
        change = change.where(p.generation == expected)
    value = c.execute(change.returning(p.generation)).scalar()
    if value is None:
        expect(provider(c, id), expected if expected is not None else -1)
        raise Conflict(f"resource provider {id} was changed meanwhile", kind="placement.concurrent_update")
    return int(value)


# -- inventories ------------------------------------------------------------------------------------------------

_KEPT = tuple(Inventory.__slots__)


def inventories(c: Connection, ids: Iterable[str] | None = None) -> dict[str, dict[str, Inventory]]:
    query = select(t.inventories)
    if ids is not None:
        query = query.where(i.provider_id.in_(list(ids)))
    found: dict[str, dict[str, Inventory]] = defaultdict(dict)
    for row in c.execute(query):
        found[row.provider_id][row.resource_class] = Inventory(*(getattr(row, name) for name in _KEPT))
    return found


def set_inventories(c: Connection, id: str, wanted: dict[str, Inventory]) -> None:
    """Replace what a provider has; raises Conflict where something that is in use would go."""
    names.need_classes(c, wanted)
    rows = c.execute(select(i.resource_class, i.used).where(i.provider_id == id))
    used = {row.resource_class: row.used for row in rows}
    if lost := sorted(name for name, amount in used.items() if amount and name not in wanted):
        raise Conflict(
            f"Inventory for '{', '.join(lost)}' on resource provider '{id}' in use.",
            kind="placement.inventory.inuse",
        )
    c.execute(delete(t.inventories).where(i.provider_id == id))
    if wanted:
        values = [
            {"provider_id": id, "resource_class": name, "used": used.get(name, 0)} | asdict(item)
            for name, item in wanted.items()
        ]
        c.execute(insert(t.inventories), values)
    touch(c)


# -- traits and aggregates --------------------------------------------------------------------------------------


def traits(c: Connection, id: str) -> set[str]:
    return set(
        c.execute(select(t.provider_traits.c.trait).where(t.provider_traits.c.provider_id == id)).scalars()
    )


def set_traits(c: Connection, id: str, wanted: Iterable[str]) -> None:
    wanted = sorted(set(wanted))
    names.need_traits(c, wanted)
    c.execute(delete(t.provider_traits).where(t.provider_traits.c.provider_id == id))
    if wanted:
        c.execute(insert(t.provider_traits), [{"provider_id": id, "trait": name} for name in wanted])
    touch(c)


def aggregates(c: Connection, id: str) -> set[str]:
    a = t.provider_aggregates.c
    return set(c.execute(select(a.aggregate_id).where(a.provider_id == id)).scalars())


def set_aggregates(c: Connection, id: str, wanted: Iterable[str]) -> None:
    c.execute(delete(t.provider_aggregates).where(t.provider_aggregates.c.provider_id == id))
    if rows := [{"provider_id": id, "aggregate_id": name} for name in sorted(set(wanted))]:
        c.execute(insert(t.provider_aggregates), rows)
    touch(c)

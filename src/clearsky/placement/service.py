"""What other services may ask of Placement; every function joins the caller's own transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from clearsky.placement import store
from clearsky.placement.store import Inventory

__all__ = [
    "Candidate",
    "Inventory",
    "allocations_of",
    "candidates",
    "claim",
    "ensure_provider",
    "forget_provider",
    "join_aggregate",
    "leave_aggregate",
    "mark",
    "release",
    "usages",
]


@dataclass(frozen=True, slots=True)
class Candidate:
    provider_id: str
    name: str
    free: dict[str, int]
    """Capacity less what is used, by resource class."""


def ensure_provider(
    c: Connection, provider_id: str, name: str, inventories: dict[str, Inventory], traits: set[str]
) -> None:
    """Make the provider and what it has equal to this; writes nothing where it is already."""
    if not store.providers(c, id=provider_id):
        store.create_provider(c, provider_id, name)
    changed = False
    if store.inventories(c, [provider_id]).get(provider_id, {}) != inventories:
        store.set_inventories(c, provider_id, inventories)
        changed = True
    if store.traits(c, [provider_id]).get(provider_id, set()) != traits:
        store.set_traits(c, provider_id, traits)
        changed = True
    if changed:
        store.bump(c, provider_id)


def candidates(
    c: Connection,
    resources: dict[str, int],
    required: frozenset[str] = frozenset(),
    forbidden: frozenset[str] = frozenset(),
) -> tuple[list[Candidate], dict[str, int]]:
    """Return the providers on which `resources` fit, emptiest first, and how many fell out for which reason."""
    found, rejected = [], Counter[str]()
    has, used, traits = store.inventories(c), store.usages(c), store.traits(c)
    for row in store.providers(c):
        mine, taken = has.get(row.id, {}), used.get(row.id, {})
        short = [
            name for name, n in resources.items() if n and not _fits(mine.get(name), n, taken.get(name, 0))
        ]
        if short:
            rejected.update(f"not enough {name}" for name in short)
        elif missing := required - traits.get(row.id, set()):
            rejected.update(f"no trait {name}" for name in missing)
        elif unwanted := forbidden & traits.get(row.id, set()):
            rejected.update(f"forbidden trait {name}" for name in unwanted)
        else:
            free = {name: item.capacity - taken.get(name, 0) for name, item in mine.items()}
            found.append(Candidate(row.id, row.name, free))
    found.sort(key=lambda item: (-item.free.get("MEMORY_MB", 0), item.name))
    return found, dict(rejected)


def _fits(inventory: Inventory | None, amount: int, used: int) -> bool:
    return inventory is not None and inventory.fits(amount, used)


def claim(
    c: Connection,
    consumer_id: str,
    project_id: str,
    user_id: str,
    provider_id: str,
    resources: dict[str, int],
    *,
    kind: str = "INSTANCE",
) -> None:
    """Claim `resources` on the provider for the consumer, in place of what it held; raises Conflict."""
    wanted = {name: amount for name, amount in resources.items() if amount}
    store.claim(c, consumer_id, project_id, user_id, {provider_id: wanted}, kind)


def mark(c: Connection, provider_id: str, trait: str, *, on: bool) -> None:
    """Set or remove one trait of a provider; one that is not there has none."""
    if not store.providers(c, id=provider_id):
        return
    have = store.traits(c, [provider_id]).get(provider_id, set())
    wanted = have | {trait} if on else have - {trait}
    if wanted != have:
        store.set_traits(c, provider_id, wanted)
        store.bump(c, provider_id)


def join_aggregate(c: Connection, provider_id: str, aggregate_id: str) -> None:
    """Associate a provider with an aggregate; a provider that is not there yet is not."""
    _aggregate(c, provider_id, lambda have: have | {aggregate_id})


def leave_aggregate(c: Connection, provider_id: str, aggregate_id: str) -> None:
    _aggregate(c, provider_id, lambda have: have - {aggregate_id})


def _aggregate(c: Connection, provider_id: str, change: Callable[[set[str]], set[str]]) -> None:
    if not store.providers(c, id=provider_id):
        return
    have = store.aggregates(c, provider_id)
    if change(have) != have:
        store.set_aggregates(c, provider_id, change(have))
        store.bump(c, provider_id)


def forget_provider(c: Connection, provider_id: str) -> None:
    """Remove a provider on which nothing is allocated; an absent one is as good."""
    if store.providers(c, id=provider_id):
        store.remove_provider(c, provider_id)


def release(c: Connection, consumer_id: str) -> None:
    """Give back everything the consumer holds; nothing held is success."""
    store.remove_allocations(c, consumer_id)


def allocations_of(c: Connection, consumer_id: str) -> dict[str, dict[str, int]]:
    return store.allocations_of(c, consumer_id)


def usages(c: Connection, provider_id: str) -> dict[str, int]:
    return store.usages(c, [provider_id]).get(provider_id, {})

"""What other services may ask of Placement; every function joins the caller's own transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from clearsky.house import House
from clearsky.placement import store
from clearsky.placement import world as worlds
from clearsky.placement.store import Inventory

__all__ = [
    "Candidate",
    "Inventory",
    "adjust",
    "allocations_of",
    "candidates",
    "claim",
    "ensure_provider",
    "fits",
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
    c: Connection,
    provider_id: str,
    name: str,
    inventories: dict[str, Inventory],
    traits: set[str],
    parent_id: str | None = None,
) -> None:
    """Make the provider and what it has equal to this; writes nothing where it is already."""
    if not store.providers(c, [provider_id]):
        store.create_provider(c, provider_id, name, parent_id)
        for custom in sorted(one for one in traits if one.startswith("CUSTOM_")):
            store.ensure_trait(c, custom)
    changed = False
    if store.inventories(c, [provider_id]).get(provider_id, {}) != inventories:
        store.set_inventories(c, provider_id, inventories)
        changed = True
    if store.traits(c, provider_id) != traits:
        store.set_traits(c, provider_id, traits)
        changed = True
    if changed:
        store.bump(c, provider_id)


def candidates(
    house: House,
    c: Connection,
    resources: dict[str, int],
    required: frozenset[str] = frozenset(),
    forbidden: frozenset[str] = frozenset(),
) -> tuple[list[Candidate], dict[str, int]]:
    """Return the root providers on which `resources` fit, emptiest first, and how many fell out for which reason."""
    found, rejected = [], Counter[str]()
    world, used = worlds.look(house, c), store.used_on(c)
    wanted = {name: n for name, n in resources.items() if n}
    for root_id in world.trees:
        one, taken = world.providers[root_id], used.get(root_id, {})
        short = [
            name for name, n in wanted.items() if not _fits(one.inventories.get(name), n, taken.get(name, 0))
        ]
        if short:
            rejected.update(f"not enough {name}" for name in short)
        elif missing := required - one.traits:
            rejected.update(f"no trait {name}" for name in missing)
        elif unwanted := forbidden & one.traits:
            rejected.update(f"forbidden trait {name}" for name in unwanted)
        else:
            free = {name: capacity - taken.get(name, 0) for name, capacity in one.capacity.items()}
            found.append(Candidate(one.id, one.name, free))
    found.sort(key=lambda item: (-item.free.get("MEMORY_MB", 0), item.name))
    return found, dict(rejected)


def fits(house: House, c: Connection, wanted: dict[str, dict[str, int]]) -> bool:
    """Say whether every provider has room for what is wanted of it: provider -> resource class -> amount."""
    if not wanted:
        return True
    world, used = worlds.look(house, c), store.used_on(c, wanted)
    return all(
        id in world.providers
        and _fits(world.providers[id].inventories.get(name), amount, used.get(id, {}).get(name, 0))
        for id, amounts in wanted.items()
        for name, amount in amounts.items()
    )


def _fits(inventory: Inventory | None, amount: int, used: int) -> bool:
    return inventory is not None and inventory.fits(amount, used)


def claim(
    c: Connection,
    consumer_id: str,
    project_id: str,
    user_id: str,
    wanted: dict[str, dict[str, int]],
    *,
    kind: str = "INSTANCE",
) -> None:
    """Claim provider -> resource class -> amount for the consumer, in place of what it held; raises Conflict."""
    held = {
        id: {name: amount for name, amount in amounts.items() if amount} for id, amounts in wanted.items()
    }
    store.claim(c, consumer_id, project_id, user_id, {id: one for id, one in held.items() if one}, kind)


def adjust(c: Connection, consumer_id: str, provider_id: str, change: dict[str, int]) -> None:
    """Change what a consumer holds of a provider by so much; raises Conflict where it does not fit."""
    held = store.allocations_of(c, consumer_id)
    mine = held.setdefault(provider_id, {})
    for name, amount in change.items():
        mine[name] = mine.get(name, 0) + amount
    row = store.consumer(c, consumer_id)
    if row is not None:
        claim(c, consumer_id, row.project_id, row.user_id, held, kind=row.type or "INSTANCE")


def release(c: Connection, consumer_id: str) -> None:
    """Give back everything the consumer holds; nothing held is success."""
    if store.consumer(c, consumer_id) is not None:
        store.replace_allocations(c, {consumer_id: ("", "", None, {})})


def allocations_of(c: Connection, consumer_id: str) -> dict[str, dict[str, int]]:
    return store.allocations_of(c, consumer_id)


def usages(c: Connection, provider_id: str) -> dict[str, int]:
    return store.used_on(c, [provider_id]).get(provider_id, {})


# -- hosts ------------------------------------------------------------------------------------------------------


def mark(c: Connection, provider_id: str, trait: str, *, on: bool) -> None:
    """Set or remove one trait of a provider; one that is not there has none."""
    if not store.providers(c, [provider_id]):
        return
    have = store.traits(c, provider_id)
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
    if not store.providers(c, [provider_id]):
        return
    have = store.aggregates(c, provider_id)
    if change(have) != have:
        store.set_aggregates(c, provider_id, change(have))
        store.bump(c, provider_id)


def forget_provider(c: Connection, provider_id: str) -> None:
    """Remove a provider on which nothing is allocated; an absent one is as good."""
    if store.providers(c, [provider_id]):
        store.remove_provider(c, provider_id)

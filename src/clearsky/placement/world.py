"""A picture of all providers in memory: trees, inventories, traits, aggregates. Each process keeps the newest one."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import Connection, select

from clearsky.house import House
from clearsky.placement import standard
from clearsky.placement import tables as t
from clearsky.placement.store import Inventory

_COLUMNS = ("total", "reserved", "min_unit", "max_unit", "step_size", "allocation_ratio")


@dataclass(frozen=True, slots=True)
class Provider:
    id: str
    name: str
    parent_id: str | None
    root_id: str
    inventories: dict[str, Inventory]
    capacity: dict[str, int]
    traits: frozenset[str]
    aggregates: frozenset[str]
    """Its own and its root's: what the root belongs to, the whole tree does."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A root with all that is below it, and the sharing providers that serve it."""

    root: Provider
    members: tuple[Provider, ...]
    """The root first."""
    sharing: tuple[Provider, ...]


@dataclass(frozen=True, slots=True)
class World:
    revision: str
    providers: dict[str, Provider]
    trees: dict[str, Tree]


def look(house: House, c: Connection) -> World:
    """Return the newest picture; costs one query where nothing has changed."""
    r = t.revision.c
    revision = str(c.execute(select(r.value).where(r.name == "world")).scalar() or "")
    kept: list[World] = house.cache("placement.world", list)
    if kept and kept[-1].revision == revision:
        return kept[-1]
    world = _load(c, revision)
    kept[:] = [world]
    return world


def _load(c: Connection, revision: str) -> World:
    inventories: dict[str, dict[str, Inventory]] = defaultdict(dict)
    i = t.inventories.c
    columns = [i.provider_id, i.resource_class, *(i[name] for name in _COLUMNS)]
    for id, name, *values in c.execute(select(*columns)):
        inventories[id][name] = Inventory(*values)
    traits, aggregates = defaultdict(set), defaultdict(set)
    for id, name in c.execute(select(t.provider_traits.c.provider_id, t.provider_traits.c.trait)):
        traits[id].add(name)
    g = t.provider_aggregates.c
    for id, name in c.execute(select(g.provider_id, g.aggregate_id)):
        aggregates[id].add(name)
    p = t.providers.c
    providers = {}
    for id, name, parent_id, root_id in c.execute(
        select(p.id, p.name, p.parent_id, p.root_id).order_by(p.name)
    ):
        mine = inventories.get(id, {})
        providers[id] = Provider(
            id,
            name,
            parent_id,
            root_id,
            mine,
            {kind: item.capacity for kind, item in mine.items()},
            frozenset(traits.get(id, ())),
            frozenset(aggregates.get(id, set()) | aggregates.get(root_id, set())),
        )
    return World(revision, providers, _trees(providers, aggregates))


def _trees(providers: dict[str, Provider], aggregates: dict[str, set[str]]) -> dict[str, Tree]:
    members: dict[str, list[Provider]] = defaultdict(list)
    for one in providers.values():
        members[one.root_id].append(one)
    sharing = [one for one in providers.values() if standard.SHARING in one.traits]
    trees = {}
    for root_id, found in members.items():
        found.sort(key=lambda one: (one.parent_id is not None, one.name))
        own = set().union(*(aggregates.get(one.id, set()) for one in found))
        served = tuple(
            one for one in sharing if one.root_id != root_id and aggregates.get(one.id, set()) & own
        )
        trees[root_id] = Tree(providers[root_id], tuple(found), served)
    return trees

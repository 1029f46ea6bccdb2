"""Which allocations would satisfy a question: tree by tree, group by group. Pure but for what it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

from clearsky.placement.asking import Question, Wanted
from clearsky.placement.store.allocations import Held
from clearsky.placement.world import Provider, Tree, World

Part = tuple[tuple[Provider, dict[str, int]], ...]
"""What one group would take from which providers."""


@dataclass(frozen=True, slots=True)
class Candidate:
    root_id: str
    allocations: Held
    mappings: dict[str, list[str]]
    """Suffix of the group -> providers that satisfy it."""


def find(world: World, used: Held, question: Question, *, nested: bool, limit: int) -> list[Candidate]:
    """Return up to `limit` candidates; `nested`: providers below a root may take part."""
    found: list[Candidate] = []
    seen: set[tuple[tuple[str, str, int], ...]] = set()
    for tree in world.trees.values():
        if not _root_fits(question, tree.root):
            continue
        for candidate in _in_tree(world, tree, used, question, nested=nested):
            key = tuple(
                sorted(
                    (id, name, n) for id, taken in candidate.allocations.items() for name, n in taken.items()
                )
            )
            whole = (*key, *sorted((suffix, ",".join(ids), 0) for suffix, ids in candidate.mappings.items()))
            if whole in seen:
                continue
            seen.add(whole)
            found.append(candidate)
            if len(found) >= limit:
                return found
    return found


def _root_fits(question: Question, root: Provider) -> bool:
    return question.root_required <= root.traits and not question.root_forbidden & root.traits


def _in_tree(
    world: World, tree: Tree, used: Held, question: Question, *, nested: bool
) -> Iterator[Candidate]:
    options: list[list[Part]] = []
    for group in question.groups:
        parts = list(_spread(tree, used, group) if not group.suffix else _alone(tree, used, group))
        if not parts:
            return
        options.append(parts)
    own = {one.id for one in tree.members}
    for chosen in product(*options):
        allocations = _together(chosen, used)
        if allocations is None:
            continue
        mappings = {
            group.suffix: [one.id for one, _ in part]
            for group, part in zip(question.groups, chosen, strict=True)
        }
        taking = set(allocations)
        if not taking & own:
            continue  # wholly from sharing providers: found again in their own tree
        if not nested and any(world.providers[id].parent_id for id in taking):
            continue
        if question.isolate and _shared_by_groups(mappings):
            continue
        if all(_same_subtree(world, mappings, some) for some in question.same_subtree):
            yield Candidate(tree.root.id, allocations, mappings)


def _has_room(one: Provider, used: Held, name: str, amount: int) -> bool:
    inventory = one.inventories.get(name)
    return inventory is not None and inventory.fits(amount, used.get(one.id, {}).get(name, 0))


def _meets(required: Iterable[frozenset[str]], traits: frozenset[str]) -> bool:
    return all(some & traits for some in required)


def _alone(tree: Tree, used: Held, group: Wanted) -> Iterator[Part]:
    """Yield each provider that satisfies a suffixed group by itself."""
    for one in (*tree.members, *(tree.sharing if group.resources else ())):
        if (
            group.allows(one)
            and _meets(group.required, one.traits)
            and all(_has_room(one, used, name, n) for name, n in group.resources.items())
        ):
            yield ((one, group.resources),)


def _spread(tree: Tree, used: Held, group: Wanted) -> Iterator[Part]:
    """Yield each way in which providers of a tree satisfy the group without suffix together."""
    if len(tree.members) == 1 and not tree.sharing:
        yield from _alone(tree, used, group)
        return
    fitting = [
        [one for one in (*tree.members, *tree.sharing) if group.allows(one) and _has_room(one, used, name, n)]
        for name, n in group.resources.items()
    ]
    for chosen in product(*fitting):
        traits = frozenset().union(*(one.traits for one in chosen))
        if not _meets(group.required, traits):
            continue
        taken: dict[str, tuple[Provider, dict[str, int]]] = {}
        for one, (name, n) in zip(chosen, group.resources.items(), strict=True):
            taken.setdefault(one.id, (one, {}))[1][name] = n
        yield tuple(taken.values())


def _together(chosen: tuple[Part, ...], used: Held) -> Held | None:
    """Add up what the groups take; None where that is more than a provider has."""
    if len(chosen) == 1:
        return {one.id: dict(resources) for one, resources in chosen[0] if resources}
    total: dict[str, Counter[str]] = {}
    providers: dict[str, Provider] = {}
    for part in chosen:
        for one, resources in part:
            if resources:
                providers[one.id] = one
                total.setdefault(one.id, Counter()).update(resources)
    for id, resources in total.items():
        for name, amount in resources.items():
            inventory, taken = providers[id].inventories[name], used.get(id, {}).get(name, 0)
            if taken + amount > inventory.capacity or amount > inventory.max_unit:
                return None
    return {id: dict(resources) for id, resources in total.items()}


def _shared_by_groups(mappings: dict[str, list[str]]) -> bool:
    counts = Counter(id for suffix, ids in mappings.items() if suffix for id in ids)
    return any(n > 1 for n in counts.values())


def _same_subtree(world: World, mappings: dict[str, list[str]], suffixes: frozenset[str]) -> bool:
    """Say whether one of the groups' providers is above (or is) all the others."""
    ids = {id for suffix in suffixes for id in mappings.get(suffix, ())}
    return any(all(top in _above(world, id) for id in ids) for top in ids)


def _above(world: World, id: str) -> set[str]:
    found: set[str] = set()
    current: str | None = id
    while current is not None and current not in found:
        found.add(current)
        current = world.providers[current].parent_id if current in world.providers else None
    return found

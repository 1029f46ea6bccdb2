"""What Placement's routes share: freshness headers, queries that know their own parameters, filters of providers."""

from __future__ import annotations

import time
from collections.abc import Iterable
from email.utils import formatdate
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.errors import Invalid
from clearsky.placement import store
from clearsky.placement.asking import Pairs, Wanted
from clearsky.placement.world import World


def fresh(call: Call, body: Any, changed_at: float | None = None, status: int = 0) -> Reply:
    """Reply with the headers that say since 1.15 how old the answer is and that it must not be kept."""
    headers = {}
    if call.version >= (1, 15):
        headers = {
            "Last-Modified": formatdate(changed_at or time.time(), usegmt=True),
            "Cache-Control": "no-cache",
        }
    return Reply(body, status, headers)


def parameters(call: Call, allowed: Iterable[str], *, prefixes: tuple[str, ...] = ()) -> Pairs:
    """Return the query's parameters; raises Invalid for one that is not understood."""
    known, pairs = set(allowed), call.query.multi_items()
    for key, _ in pairs:
        if key not in known and not key.startswith(prefixes or ("\0",)):
            raise Invalid(
                f"Invalid query string parameters: {key!r:.80} is not one of {', '.join(sorted(known))}"
            )
    return pairs


def check_names(c: Any, groups: Iterable[Wanted], extra: frozenset[str] = frozenset()) -> None:
    """Raise Invalid where a query names a trait or a resource class that does not exist."""
    traits: set[str] = set(extra)
    classes: set[str] = set()
    for group in groups:
        traits |= group.names()
        classes |= group.resources.keys()
    try:
        store.need_traits(c, traits)
        store.need_classes(c, classes)
    except Invalid as error:
        raise Invalid(f"Invalid query string parameters: {error.message}") from error


def in_tree_of(world: World, group: Wanted) -> str:
    """Return the root of the tree that `in_tree` names by any of its providers; an unknown one has no tree."""
    named = world.providers.get(group.in_tree)
    return named.root_id if named else group.in_tree

"""Allocation candidates: where resources could be claimed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.db.paging import limit_of
from clearsky.errors import Invalid
from clearsky.placement import asking, candidates, schema, store
from clearsky.placement import world as worlds
from clearsky.placement.api.kit import check_names, fresh, in_tree_of, parameters
from clearsky.placement.candidates import Candidate
from clearsky.placement.world import World

routes = Routes()
_SINCE = {
    "resources": (1, 10), "limit": (1, 16), "required": (1, 17), "member_of": (1, 21), "group_policy": (1, 25),
    "in_tree": (1, 31), "root_required": (1, 35), "same_subtree": (1, 36),
}  # fmt: skip
_PREFIXES = {"resources": (1, 25), "required": (1, 25), "member_of": (1, 25), "in_tree": (1, 31)}


@routes.get(
    "/allocation_candidates",
    rule="placement:allocation_candidates:list",
    response=schema.CANDIDATES,
    since=(1, 10),
)
def list_candidates(call: Call) -> Reply:
    """List the providers on which resources could be allocated, each with the allocation to make."""
    version = call.version
    prefixes = tuple(name for name, since in _PREFIXES.items() if version >= since)
    pairs = parameters(call, [name for name, since in _SINCE.items() if version >= since], prefixes=prefixes)
    question = asking.parse([pair for pair in pairs if pair[0] != "limit"], version, groups=True)
    if call.query.get("limit") in ("0", ""):
        raise Invalid("Invalid query string parameters: limit must be 1 or more")
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    with call.house.db.read() as c:
        check_names(c, question.groups, question.root_required | question.root_forbidden)
        world, used = worlds.look(call.house, c), store.used_on(c)
    groups = tuple(
        replace(group, in_tree=in_tree_of(world, group)) if group.in_tree else group
        for group in question.groups
    )
    question = replace(question, groups=groups)
    found = candidates.find(world, used, question, nested=version >= (1, 29), limit=limit)
    classes = {name for group in groups for name in group.resources}
    summaries = _summaries(call, world, used, found, classes)
    requests = [_request(call, one) for one in found]
    return fresh(call, {"allocation_requests": requests, "provider_summaries": summaries})


def _request(call: Call, one: Candidate) -> dict[str, Any]:
    if call.version < (1, 12):
        listed = [
            {"resource_provider": {"uuid": id}, "resources": resources}
            for id, resources in one.allocations.items()
        ]
        return {"allocations": listed}
    shown: dict[str, Any] = {
        "allocations": {id: {"resources": resources} for id, resources in one.allocations.items()}
    }
    return shown | ({"mappings": one.mappings} if call.version >= (1, 34) else {})


def _summaries(
    call: Call,
    world: World,
    used: dict[str, dict[str, int]],
    found: list[Candidate],
    classes: set[str],
) -> dict[str, Any]:
    """Show the providers of the candidates, since 1.29 the whole trees that they are in."""
    ids: dict[str, None] = {}
    for one in found:
        for id in one.allocations:
            if call.version >= (1, 29):
                ids.update(dict.fromkeys(p.id for p in world.trees[world.providers[id].root_id].members))
            else:
                ids[id] = None
    everything = call.version >= (1, 27)
    shown = {}
    for id in ids:
        holder, taken = world.providers[id], used.get(id, {})
        summary: dict[str, Any] = {
            "resources": {
                name: {"capacity": capacity, "used": taken.get(name, 0)}
                for name, capacity in holder.capacity.items()
                if everything or name in classes
            }
        }
        if call.version >= (1, 17):
            summary["traits"] = sorted(holder.traits)
        if call.version >= (1, 29):
            summary |= {"parent_provider_uuid": holder.parent_id, "root_provider_uuid": holder.root_id}
        shown[id] = summary
    return shown

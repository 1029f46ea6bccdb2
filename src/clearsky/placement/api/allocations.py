"""Allocations of consumers, usages of projects, and allocation candidates."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.db.paging import limit_of
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.placement import schema, service, store

routes = Routes()


@routes.get(
    "/resource_providers/{uuid}/allocations",
    rule="placement:resource_providers:allocations:list",
    response=schema.ALLOCATIONS,
)
def list_provider_allocations(call: Call) -> Reply:
    """List who holds what on a provider."""
    with call.house.db.read() as c:
        row = store.provider(c, call.params["uuid"])
        held = store.allocations_on(c, row.id)
    found = {consumer: {"resources": resources} for consumer, resources in held.items()}
    return Reply({"allocations": found, "resource_provider_generation": row.generation})


@routes.get("/allocations/{consumer_uuid}", rule="placement:allocations:list", response=schema.ALLOCATIONS)
def show_allocations(call: Call) -> Reply:
    """Show what a consumer holds; nothing is an empty answer."""
    with call.house.db.read() as c:
        held = store.allocations_of(c, call.params["consumer_uuid"])
        generations = {row.id: row.generation for row in store.providers(c)}
        consumer = store.consumer(c, call.params["consumer_uuid"])
    body: dict[str, Any] = {
        "allocations": {id: {"resources": r, "generation": generations[id]} for id, r in held.items()}
    }
    if consumer is not None and call.version >= (1, 12):
        body |= {"project_id": consumer.project_id, "user_id": consumer.user_id}
    if consumer is not None and call.version >= (1, 28):
        body["consumer_generation"] = consumer.generation
    if consumer is not None and call.version >= (1, 38):
        body["consumer_type"] = "INSTANCE"
    return Reply(body)


@routes.put(
    "/allocations/{consumer_uuid}",
    rule="placement:allocations:update",
    status=204,
    request=schema.ALLOCATIONS_PUT,
)
def update_allocations(call: Call) -> Reply:
    """Replace what a consumer holds."""
    body, consumer_id = call.body, call.params["consumer_uuid"]
    wanted = {id: dict(item["resources"]) for id, item in body["allocations"].items()}
    with call.house.db.write() as c:
        consumer = store.consumer(c, consumer_id)
        expected = consumer.generation if consumer is not None else None
        if body["consumer_generation"] != expected:
            raise Conflict(
                f"consumer generation conflict - expected {expected} but got {body['consumer_generation']}",
                kind="placement.concurrent_update",
            )
        try:
            store.claim(c, consumer_id, body["project_id"], body["user_id"], wanted)
        except NotFound as error:
            raise Invalid(error.message) from error
    return Reply()


@routes.delete("/allocations/{consumer_uuid}", rule="placement:allocations:delete")
def delete_allocations(call: Call) -> Reply:
    """Give back everything a consumer holds."""
    with call.house.db.write() as c:
        if not store.remove_allocations(c, call.params["consumer_uuid"]):
            raise NotFound(f"No allocations for consumer '{call.params['consumer_uuid']}'")
    return Reply()


@routes.get("/usages", rule="placement:usages", response=schema.USAGES, since=(1, 9))
def list_project_usages(call: Call) -> Reply:
    """List how much a project has allocated."""
    project_id = call.query.get("project_id")
    if not project_id:
        raise Invalid("project_id is missing: say whose usage is wanted")
    call.authorize("placement:usages", project_id=project_id)
    with call.house.db.read() as c:
        used = store.project_usages(c, project_id, call.query.get("user_id"))
        count = store.consumer_count(c, project_id)
    if call.version >= (1, 38):
        return Reply({"usages": {"INSTANCE": used | {"consumer_count": count}} if used else {}})
    return Reply({"usages": used})


def amounts(text: str | None) -> dict[str, int]:
    """Parse `VCPU:1,MEMORY_MB:128`; raises Invalid."""
    found: dict[str, int] = {}
    for part in (text or "").split(","):
        name, _, amount = part.partition(":")
        if (
            not name
            or not amount.isascii()
            or not amount.isdigit()
            or not 0 < int(amount[:12]) < 2**31
            or name in found
        ):
            raise Invalid(
                f"resources={text!r:.200} is not a list like VCPU:1,MEMORY_MB:128 with whole amounts from 1"
            )
        found[name] = int(amount)
    return found


@routes.get(
    "/allocation_candidates",
    rule="placement:allocation_candidates:list",
    response=schema.CANDIDATES,
    since=(1, 10),
)
def list_candidates(call: Call) -> Reply:
    """List the providers on which resources could be allocated."""
    unknown = set(call.query.keys()) - {"resources", "required", "limit"}
    if unknown:
        raise Invalid(
            f"Invalid query string parameters: {', '.join(sorted(unknown))}; understood: resources, required, limit"
        )
    wanted = amounts(call.query.get("resources"))
    named = [name for value in call.query.getlist("required") for name in value.split(",") if name]
    required = frozenset(name for name in named if not name.startswith("!"))
    forbidden = frozenset(name[1:] for name in named if name.startswith("!"))
    limit = limit_of(call.query.get("limit"), call.house.config.api.page_limit)
    with call.house.db.read() as c:
        found, _ = service.candidates(c, wanted, required, forbidden)
        found = found[:limit]
        ids = [item.provider_id for item in found]
        has, used, traits = store.inventories(c, ids), store.usages(c, ids), store.traits(c, ids)
    requests = [{"allocations": {id: {"resources": wanted}}, "mappings": {"": [id]}} for id in ids]
    summaries = {
        id: {
            "resources": {
                name: {"capacity": item.capacity, "used": used.get(id, {}).get(name, 0)}
                for name, item in has[id].items()
            },
            "traits": sorted(traits.get(id, set())),
            "root_provider_uuid": id,
            "parent_provider_uuid": None,
        }
        for id in ids
    }
    return Reply({"allocation_requests": requests, "provider_summaries": summaries})

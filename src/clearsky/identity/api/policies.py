"""Policies as opaque texts, and OS-ENDPOINT-POLICY: which of them is for which endpoint."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, and_, delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.db.engine import lock
from clearsky.errors import NotFound
from clearsky.identity import store
from clearsky.identity import tables as t
from clearsky.identity.api import attributes
from clearsky.identity.api.catalog import view_endpoint
from clearsky.identity.api.plain import Body, Plain
from clearsky.identity.api.render import enclose, link
from clearsky.identity.api.writing import writing
from clearsky.identity.schema.resources import INDEX, SHOW
from clearsky.identity.store import catalog, removal

routes = Routes()
_OWN = ("type", "blob")


def view_policy(call: Call, row: Any) -> dict[str, Any]:
    shown = {name: getattr(row, name) for name in ("id", *_OWN)}
    return (row.extra or {}) | shown | {"links": link(call, "policies", row.id)}


def _values(_c: Connection, body: Body, _id: str, before: Any) -> Body:
    values = {name: body[name] for name in _OWN if name in body}
    return values | {"extra": attributes.others(body, ("id", "links", *_OWN), before)}


_POLICY = Plain(
    "policy",
    "policies",
    t.policies,
    view_policy,
    _values,
    removal.policy,
    filters=("type",),
    in_catalog=False,
)
_POLICY.register(routes)


# -- which policy is for which endpoint -------------------------------------------------------------------------


def _place(call: Call, c: Connection) -> dict[str, str]:
    """Return what the path names: an endpoint, a service, or a service in a region; all of it must exist."""
    place = {"endpoint_id": "", "service_id": "", "region_id": ""}
    for kind, table in (("endpoint", t.endpoints), ("service", t.services), ("region", t.regions)):
        if f"{kind}_id" in call.params:
            place[f"{kind}_id"] = store.get(c, table, call.params[f"{kind}_id"], kind).id
    return place


def _where(place: dict[str, str], **more: str) -> Any:
    own = t.policy_associations.c
    return and_(*(own[name] == value for name, value in (place | more).items()))


def _register(kind: str, path: str) -> None:
    full = f"/v3/policies/{{policy_id}}/OS-ENDPOINT-POLICY/{path}"
    rule = f"policy_association_for_{kind}"
    routes.put(full, rule=f"identity:create_{rule}", status=204)(create_association)
    routes.get(full, rule=f"identity:check_{rule}", status=204)(check_association)
    routes.delete(full, rule=f"identity:delete_{rule}")(delete_association)


def create_association(call: Call) -> Reply:
    """Make a policy the one for an endpoint, a service, or a service in a region."""
    with writing(call) as c:
        lock(c, "identity.policy_associations")
        policy, place = _POLICY.row(call, c), _place(call, c)
        changed = update(t.policy_associations).where(_where(place)).values(policy_id=policy.id)
        if not c.execute(changed).rowcount:
            c.execute(insert(t.policy_associations).values(**place, policy_id=policy.id))
    return Reply()


def check_association(call: Call) -> Reply:
    """Say whether a policy is the one for an endpoint, a service, or a service in a region."""
    with call.house.db.read() as c:
        policy, place = _POLICY.row(call, c), _place(call, c)
        if not c.execute(select(t.policy_associations).where(_where(place, policy_id=policy.id))).first():
            raise _missing(policy.id, place)
    return Reply()


def delete_association(call: Call) -> Reply:
    """Let a policy no longer be for an endpoint, a service, or a service in a region."""
    with writing(call) as c:
        policy, place = _POLICY.row(call, c), _place(call, c)
        if not c.execute(delete(t.policy_associations).where(_where(place, policy_id=policy.id))).rowcount:
            raise _missing(policy.id, place)
    return Reply()


def _missing(policy_id: str, place: dict[str, str]) -> NotFound:
    named = ", ".join(f"{name} {value}" for name, value in place.items() if value)
    return NotFound(f"Could not find an association of policy {policy_id} with {named}.")


_register("endpoint", "endpoints/{endpoint_id}")
_register("service", "services/{service_id}")
_register("region_and_service", "services/{service_id}/regions/{region_id}")


@routes.get(
    "/v3/policies/{policy_id}/OS-ENDPOINT-POLICY/endpoints",
    rule="identity:list_endpoints_for_policy",
    response=INDEX["endpoint"],
)
def list_endpoints_of_policy(call: Call) -> Reply:
    """List the endpoints for which a policy is in effect."""
    with call.house.db.read() as c:
        rows = catalog.endpoints_of_policy(c, _POLICY.row(call, c).id)
    return enclose(call, "endpoints", [view_endpoint(call, row) for row in rows])


@routes.get(
    "/v3/endpoints/{endpoint_id}/OS-ENDPOINT-POLICY/policy",
    rule="identity:get_policy_for_endpoint",
    response=SHOW["policy"],
)
def show_policy_of_endpoint(call: Call) -> Reply:
    """Show the policy that is in effect for an endpoint."""
    with call.house.db.read() as c:
        endpoint = store.get(c, t.endpoints, call.params["endpoint_id"], "endpoint")
        policy_id = catalog.policy_for(c, endpoint)
        if policy_id is None:
            raise NotFound(f"No policy is associated with endpoint {endpoint.id}.")
        return Reply({"policy": view_policy(call, store.get(c, t.policies, policy_id, "policy"))})

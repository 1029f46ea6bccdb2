"""RBAC policies: an owner lets another project, or everybody, use a network or another object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Forbidden, Invalid, NotFound
from clearsky.network import qos_policies, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.model import ROUTER_GATEWAY

routes = Routes()
TYPES = {
    "network": t.networks,
    "security_group": t.security_groups,
    "address_group": t.address_groups,
    "address_scope": t.address_scopes,
    "subnetpool": t.subnetpools,
    "qos_policy": t.qos_policies,
}
ACTIONS = dict.fromkeys(TYPES, (store.SHARED,)) | {"network": (store.SHARED, store.EXTERNAL)}
_TARGET = {"type": "string", "minLength": 1, "maxLength": 64}


def view(_c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "project_id": row.project_id,
            "tenant_id": row.project_id,
            "object_type": row.object_type,
            "object_id": row.object_id,
            "action": row.action,
            "target_tenant": row.target_project,
            "target_project_id": row.target_project,
        }
        for row in rows
    ]


RBAC = kit.Resource(
    "rbac_policy",
    "rbac_policies",
    t.rbac,
    view,
    {
        "object_type": {"type": "string"},
        "object_id": kit.UUID,
        "action": {"type": "string"},
        "target_tenant": _TARGET,
        "target_project_id": _TARGET,
    },
    {"target_tenant": _TARGET, "target_project_id": _TARGET},
    required=("object_type", "object_id", "action"),
    aliases={"target_tenant": "target_project", "target_project_id": "target_project"},
    words=(),
)
_SHOWN = RBAC.shown()


def _target(call: Call, body: dict[str, Any]) -> str:
    target = body.get("target_tenant") or body.get("target_project_id")
    if not target:
        raise Invalid("target_tenant: say which project, or * for every one", kind="HTTPBadRequest")
    if target == store.EVERYBODY and not call.caller.is_admin:
        raise Forbidden("target_tenant = '*': only administrators share with everybody")
    return str(target)


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    kind, action = body["object_type"], body["action"]
    if kind not in TYPES:
        raise Invalid(
            f"object_type = {kind!r:.60}: one of {', '.join(sorted(TYPES))}", kind="RbacPolicyInvalidObject"
        )
    if action not in ACTIONS[kind]:
        raise Invalid(
            f"Action {action!r:.60} is not valid for a {kind}: {', '.join(ACTIONS[kind])}",
            kind="InvalidInput",
        )
    target = _target(call, body)
    row = store.get(c, TYPES[kind], call.scope, body["object_id"])
    if call.scope is not None and row.project_id != call.scope:
        what, name = store.KINDS[TYPES[kind]]
        raise NotFound(f"{what} {row.id} could not be found.", kind=name)
    if action == store.EXTERNAL:
        kit.only_admins(call, {"access_as_external": 1}, "access_as_external")
    quotas.check(c, call.house, kit.owner_of(call, body), "rbac_policy")
    r = t.rbac.c
    same = (r.object_id == row.id, r.action == action, r.target_project == target)
    if twin := c.execute(select(r.id).where(*same)).scalar():
        raise Conflict(f"An RBAC policy already exists with those values: {twin}.", kind="DuplicatePolicy")
    made = store.grant(c, row, kind, action, target)
    if action == store.EXTERNAL:
        note_external(c, row.id)
    return made


def note_external(c: Connection, network_id: str) -> None:
    """Keep the network's own mark of being external to anybody true."""
    r = t.rbac.c
    left = select(r.id).where(r.object_id == network_id, r.action == store.EXTERNAL)
    external = c.execute(left).first() is not None
    c.execute(update(t.networks).where(t.networks.c.id == network_id).values(external=external))


@routes.post(
    "/v2.0/rbac-policies", rule="create_rbac_policy", status=201, request=RBAC.creation(), response=_SHOWN
)
def create_rbac_policy(call: Call) -> Reply:
    """Let a project use an object of one's own."""
    return kit.create_all(RBAC, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/rbac-policies", rule="get_rbac_policy", response=_SHOWN)
def list_rbac_policies(call: Call) -> Reply:
    """List what the project lets others use."""
    return kit.listed(RBAC, call)


@routes.get("/v2.0/rbac-policies/{id}", rule="get_rbac_policy", response=_SHOWN)
def show_rbac_policy(call: Call) -> Reply:
    """Show an RBAC policy."""
    return kit.show(RBAC, call)


@routes.put("/v2.0/rbac-policies/{id}", rule="update_rbac_policy", request=RBAC.changing(), response=_SHOWN)
def update_rbac_policy(call: Call) -> Reply:
    """Give the right to another project instead."""
    with call.house.db.write() as c:
        row = _own(c, call, "update")
        target = _target(call, call.body["rbac_policy"])
        if target != row.target_project:
            _still_used(c, row)
            r = t.rbac.c
            same = (r.object_id == row.object_id, r.action == row.action, r.target_project == target)
            if twin := c.execute(select(r.id).where(*same)).scalar():
                raise Conflict(
                    f"An RBAC policy already exists with those values: {twin}.", kind="DuplicatePolicy"
                )
            statement = update(t.rbac).where(r.id == row.id).values(target_project=target)
            row = c.execute(statement.returning(t.rbac)).one()
        shown = view(c, [row], call)[0]
    return Reply({"rbac_policy": shown})


def _own(c: Connection, call: Call, verb: str) -> Any:
    row = store.get(c, t.rbac, call.scope, call.params["id"])
    call.authorize(f"{verb}_rbac_policy", project_id=row.project_id)
    return row


@routes.delete("/v2.0/rbac-policies/{id}", rule="delete_rbac_policy")
def delete_rbac_policy(call: Call) -> Reply:
    """Take a right back that nobody makes use of."""
    with call.house.db.write() as c:
        row = _own(c, call, "delete")
        _still_used(c, row)
        c.execute(t.rbac.delete().where(t.rbac.c.id == row.id))
        if row.action == store.EXTERNAL:
            note_external(c, row.object_id)
    return Reply()


# -- is a right in use? -----------------------------------------------------------------------------------------


def in_use(c: Connection, row: Any) -> str:
    """Return what lives on this right: id of a port, router, rule or the like; empty where nothing does."""
    r = t.rbac.c
    others = select(r.target_project).where(
        r.object_id == row.object_id, r.action == row.action, r.id != row.id
    )
    rest = set(c.execute(others).scalars())
    if store.EVERYBODY in rest:
        return ""

    owner = c.execute(select(TYPES[row.object_type].c.project_id).where(_is(row))).scalar()
    if row.target_project == owner:
        return ""

    def by_foreigners(project: Any) -> ColumnElement[bool]:
        if row.target_project != store.EVERYBODY:
            return project == row.target_project  # type: ignore[no-any-return]
        return project.not_in([*rest, owner, ""])  # type: ignore[no-any-return]

    for query in _USERS[row.object_type, row.action](row.object_id, by_foreigners):
        if found := c.execute(query).scalar():
            return str(found)
    return ""


def _is(row: Any) -> ColumnElement[bool]:
    return TYPES[row.object_type].c.id == row.object_id  # type: ignore[no-any-return]


def _still_used(c: Connection, row: Any) -> None:
    if user := in_use(c, row):
        raise Conflict(
            f"RBAC policy on object {row.object_id} cannot be removed because other objects depend on it: {user}.",
            kind="RbacPolicyInUse",
        )


Foreign = Callable[[Any], ColumnElement[bool]]


def _network_users(id: str, foreign: Foreign) -> list[Any]:
    p, s = t.ports.c, t.subnets.c
    return [
        select(p.id).where(p.network_id == id, foreign(p.project_id)),
        select(s.id).where(s.network_id == id, foreign(s.project_id)),
    ]


def _external_users(id: str, foreign: Foreign) -> list[Any]:
    r, f, p = t.routers.c, t.floating_ips.c, t.ports.c
    gateways = select(p.device_id).where(p.network_id == id, p.device_owner == ROUTER_GATEWAY)
    return [
        select(r.id).where(r.id.in_(gateways), foreign(r.project_id)),
        select(f.id).where(f.floating_network_id == id, foreign(f.project_id)),
    ]


def _group_users(id: str, foreign: Foreign) -> list[Any]:
    p, g, r = t.ports.c, t.port_groups.c, t.rules.c
    members = select(g.port_id).where(g.security_group_id == id)
    return [
        select(p.id).where(p.id.in_(members), foreign(p.project_id)),
        select(r.id).where(r.remote_group_id == id, foreign(r.project_id)),
    ]


def _address_group_users(id: str, foreign: Foreign) -> list[Any]:
    r = t.rules.c
    return [select(r.id).where(r.remote_address_group_id == id, foreign(r.project_id))]


def _scope_users(id: str, foreign: Foreign) -> list[Any]:
    p = t.subnetpools.c
    return [select(p.id).where(p.address_scope_id == id, foreign(p.project_id))]


def _pool_users(id: str, foreign: Foreign) -> list[Any]:
    s = t.subnets.c
    return [select(s.id).where(s.subnetpool_id == id, foreign(s.project_id))]


def _policy_users(id: str, foreign: Foreign) -> list[Any]:
    tables = qos_policies.USERS.values()
    return [select(one.c.id).where(one.c.qos_policy_id == id, foreign(one.c.project_id)) for one in tables]


_USERS: dict[tuple[str, str], Callable[[str, Foreign], list[Any]]] = {
    ("network", store.SHARED): _network_users,
    ("network", store.EXTERNAL): _external_users,
    ("security_group", store.SHARED): _group_users,
    ("address_group", store.SHARED): _address_group_users,
    ("address_scope", store.SHARED): _scope_users,
    ("subnetpool", store.SHARED): _pool_users,
    ("qos_policy", store.SHARED): _policy_users,
}

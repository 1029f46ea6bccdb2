"""Rules of QoS policies, below their policy and by the alias paths that need only the rule's id."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import bandwidth, store
from clearsky.network import tables as t
from clearsky.network.api import kit
from clearsky.network.api.qos import DSCP_MARKS, KINDS, POLICY, show_rule

routes = Routes()
_RATE = {"type": ["integer", "string"], "minimum": 0, "maximum": 2**31 - 1, "pattern": "^[0-9]{1,9}$"}
_FIELDS: dict[str, Any] = {
    "max_kbps": _RATE,
    "max_burst_kbps": _RATE,
    "min_kbps": _RATE,
    "direction": {"enum": ["ingress", "egress"]},
    "dscp_mark": {"type": ["integer", "string"], "minimum": 0, "maximum": 63, "pattern": "^[0-9]{1,2}$"},
}


def _columns(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    columns = {name: body[name] for name in KINDS[kind] if name in body}
    for name in ("max_kbps", "max_burst_kbps", "min_kbps", "dscp_mark"):
        if name in columns:
            columns[name] = int(columns[name])
    if columns.get("max_kbps") == 0:
        raise Invalid("max_kbps = 0: that stops everything; give at least 1", kind="InvalidInput")
    if columns.get("min_kbps") == 0:
        raise Invalid("min_kbps = 0: that promises nothing; give at least 1", kind="InvalidInput")
    if "dscp_mark" in columns and columns["dscp_mark"] not in DSCP_MARKS:
        raise Invalid(
            f"dscp_mark = {columns['dscp_mark']}: one of {', '.join(map(str, DSCP_MARKS))}",
            kind="InvalidInput",
        )
    return columns


def _get(c: Connection, kind: str, id: str, policy_id: str | None) -> Any:
    q = t.qos_rules.c
    row = c.execute(select(t.qos_rules).where(q.id == id, q.kind == kind)).first()
    if row is None or policy_id not in (None, row.policy_id):
        raise NotFound(f"QoS rule {id} for policy {policy_id} could not be found.", kind="QosRuleNotFound")
    return row


def _touch(c: Connection, call: Call, kind: str, policy_id: str) -> None:
    """Let those who use the policy follow its changed rules; raises Conflict where they cannot."""
    if kind == bandwidth.KIND:
        bandwidth.check_users(c, policy_id)
        bandwidth.check_rules(c, policy_id)
    store.change(c, t.qos_policies, policy_id, {})
    store.sync(c, call.request_id)


def _unique(c: Connection, policy_id: str, kind: str, direction: str, id: str) -> None:
    q = t.qos_rules.c
    query = select(q.id).where(q.policy_id == policy_id, q.kind == kind, q.direction == direction, q.id != id)
    if twin := c.execute(query).scalar():
        raise Conflict(
            f"Rule {kind} ({direction}) already exists in QoS Policy {policy_id}: {twin}.",
            kind="QoSRulesConflict",
        )


def _register(kind: str) -> None:
    name, rule = f"{kind}_rule", f"policy_{kind}_rule"
    names = {n: _FIELDS[n] for n in KINDS[kind]}
    required = [KINDS[kind][0]]

    def body(key: str, required: list[str]) -> Schema:
        inner = {"type": "object", "properties": names, "required": required, "additionalProperties": False}
        return Schema(
            {"type": "object", "properties": {key: inner}, "required": [key], "additionalProperties": False}
        )

    one = {"type": "object", "required": ["id"]}
    shown = Schema({"type": "object", "properties": {name: one}, "required": [name]})
    listed = Schema(
        {"type": "object", "properties": {f"{name}s": {"type": "array"}}, "required": [f"{name}s"]}
    )

    def create(call: Call) -> Reply:
        """Add a rule to a QoS policy."""
        with call.house.db.write() as c:
            policy = kit.writable(c, POLICY, call, "update", call.params["policy_id"])
            columns = {"direction": "egress", "max_burst_kbps": 0 if kind == "bandwidth_limit" else None}
            columns |= _columns(kind, call.body[name])
            _unique(c, policy.id, kind, str(columns["direction"]), "")
            values = columns | {"id": str(uuid.uuid4()), "policy_id": policy.id, "kind": kind}
            row = c.execute(insert(t.qos_rules).values(**values).returning(t.qos_rules)).one()
            _touch(c, call, kind, policy.id)
        return Reply({name: show_rule(row)})

    def index(call: Call) -> Reply:
        """List a QoS policy's rules of one kind."""
        q = t.qos_rules.c
        with call.house.db.read() as c:
            policy = store.get(c, t.qos_policies, call.scope, call.params["policy_id"])
            query = select(t.qos_rules).where(q.policy_id == policy.id, q.kind == kind).order_by(q.direction)
            return Reply({f"{name}s": [show_rule(row) for row in c.execute(query)]})

    def show_of(key: str) -> Any:
        def show(call: Call) -> Reply:
            """Show a QoS rule."""
            with call.house.db.read() as c:
                row = _get(c, kind, call.params["id"], call.params.get("policy_id"))
                store.get(c, t.qos_policies, call.scope, row.policy_id)
                return Reply({key: show_rule(row)})

        return show

    def change_of(key: str) -> Any:
        def change(call: Call) -> Reply:
            """Change a QoS rule."""
            with call.house.db.write() as c:
                row = _get(c, kind, call.params["id"], call.params.get("policy_id"))
                kit.writable(c, POLICY, call, "update", row.policy_id)
                columns = _columns(kind, call.body[key])
                if columns:
                    _unique(c, row.policy_id, kind, str(columns.get("direction", row.direction)), row.id)
                    statement = update(t.qos_rules).where(t.qos_rules.c.id == row.id).values(**columns)
                    row = c.execute(statement.returning(t.qos_rules)).one()
                    _touch(c, call, kind, row.policy_id)
            return Reply({key: show_rule(row)})

        return change

    def remove(call: Call) -> Reply:
        """Remove a QoS rule."""
        with call.house.db.write() as c:
            row = _get(c, kind, call.params["id"], call.params.get("policy_id"))
            kit.writable(c, POLICY, call, "update", row.policy_id)
            c.execute(delete(t.qos_rules).where(t.qos_rules.c.id == row.id))
            _touch(c, call, kind, row.policy_id)
        return Reply()

    path = f"/v2.0/qos/policies/{{policy_id}}/{name}s"
    routes.post(path, rule=f"create_{rule}", status=201, request=body(name, required), response=shown)(create)
    routes.get(path, rule=f"get_{rule}", response=listed)(index)
    routes.get(path + "/{id}", rule=f"get_{rule}", response=shown)(show_of(name))
    routes.put(path + "/{id}", rule=f"update_{rule}", request=body(name, []), response=shown)(change_of(name))
    routes.delete(path + "/{id}", rule=f"delete_{rule}")(remove)
    alias, key = f"/v2.0/qos/alias-{name.replace('_', '-')}s/{{id}}", f"alias_{name}"
    aliased = Schema({"type": "object", "properties": {key: one}, "required": [key]})
    routes.get(alias, rule=f"get_{rule}", response=aliased)(show_of(key))
    routes.put(alias, rule=f"update_{rule}", request=body(key, []), response=aliased)(change_of(key))
    routes.delete(alias, rule=f"delete_{rule}")(remove)


for _kind in KINDS:
    _register(_kind)

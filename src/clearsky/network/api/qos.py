"""QoS policies."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import bandwidth, qos_policies, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import crud, kit

routes = Routes()
KINDS: dict[str, tuple[str, ...]] = {
    "bandwidth_limit": ("max_kbps", "max_burst_kbps", "direction"),
    "dscp_marking": ("dscp_mark",),
    bandwidth.KIND: ("min_kbps", "direction"),
}
"""Kinds of rules that are enforced, with their parameters: by the engine, and minimum bandwidth by Placement."""
ALL_KINDS = (
    "bandwidth_limit",
    "dscp_marking",
    "minimum_bandwidth",
    "minimum_packet_rate",
    "packet_rate_limit",
)
"""Kinds of rules that the API knows of."""


def show_rule(row: Any) -> dict[str, Any]:
    return {"id": row.id} | {name: getattr(row, name) for name in KINDS[row.kind]}


def view(c: Connection, rows: list[Any], call: Call) -> list[dict[str, Any]]:
    q = t.qos_rules
    rules: dict[str, list[dict[str, Any]]] = {row.id: [] for row in rows}
    for rule in c.execute(select(q).where(q.c.policy_id.in_(list(rules))).order_by(q.c.kind, q.c.direction)):
        shown = show_rule(rule) | {"type": rule.kind, "qos_policy_id": rule.policy_id}
        rules[rule.policy_id].append(shown)
    shared = kit.shared(c, rows, call)
    return [
        kit.standard(row) | {"shared": row.id in shared, "is_default": row.is_default, "rules": rules[row.id]}
        for row in rows
    ]


_FLAGS = {"shared": kit.FLAG, "is_default": kit.FLAG}
POLICY = kit.Resource(
    "policy", "policies", t.qos_policies, view, _FLAGS, _FLAGS, required=("name",), object_type="qos_policy"
)


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    quotas.check(c, call.house, project_id, "qos_policy")
    kit.only_admins(call, {"shared": 1} if kit.truth(body.get("shared")) else {}, "shared")
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    columns |= {"project_id": project_id, "is_default": kit.truth(body.get("is_default"))}
    if columns["is_default"]:
        _only_default(c, project_id, "")
    row = store.create(c, t.qos_policies, columns)
    if kit.truth(body.get("shared")):
        kit.share(c, POLICY, row, wanted=True)
    return row


def _only_default(c: Connection, project_id: str, id: str) -> None:
    other = qos_policies.default_of(c, project_id)
    if other not in (None, id):
        raise Conflict(
            f"A default QoS policy exists for project {project_id}: {other}.",
            kind="QoSPolicyDefaultAlreadyExists",
        )


def _update(call: Call, c: Connection, row: Any, body: dict[str, Any]) -> dict[str, Any]:
    if "shared" in body:
        kit.only_admins(call, body, "shared")
        kit.share(c, POLICY, row, body["shared"])
    if "is_default" not in body:
        return {}
    if kit.truth(body["is_default"]):
        _only_default(c, row.project_id, row.id)
    return {"is_default": kit.truth(body["is_default"])}


def _delete(_call: Call, c: Connection, row: Any) -> None:
    for what, table in qos_policies.USERS.items():
        if user := c.execute(select(table.c.id).where(table.c.qos_policy_id == row.id)).scalar():
            raise Conflict(f"QoS Policy {row.id} is used by {what} {user}.", kind="QosPolicyInUse")
    c.execute(t.qos_rules.delete().where(t.qos_rules.c.policy_id == row.id))


crud.register(
    routes, POLICY, "/v2.0/qos/policies", "QoS policy", create=_create, update=_update, delete=_delete
)

# -- what there is ----------------------------------------------------------------------------------------------

_TYPES = Schema(
    {"type": "object", "properties": {"rule_types": {"type": "array"}}, "required": ["rule_types"]}
)
_TYPE = Schema({"type": "object", "properties": {"rule_type": {"type": "object"}}, "required": ["rule_type"]})


@routes.get("/v2.0/qos/rule-types", rule="get_rule_type", response=_TYPES)
def list_rule_types(call: Call) -> Reply:
    """List the kinds of rules that are enforced; with `all_rules` also those that it does not."""
    asked = {name: kit.truth(call.query.get(name)) for name in ("all_supported", "all_rules")}
    if all(asked.values()):
        raise Invalid("all_supported and all_rules cannot be asked for together.", kind="InvalidInput")
    kinds = ALL_KINDS if asked["all_rules"] else KINDS
    return Reply({"rule_types": [{"type": kind} for kind in kinds]})


@routes.get("/v2.0/qos/rule-types/{type}", rule="show_rule_type", response=_TYPE)
def show_rule_type(call: Call) -> Reply:
    """Show what values a kind of rule takes."""
    kind = call.params["type"]
    if kind not in KINDS:
        raise NotFound(
            f"Rule type {kind} could not be found: {', '.join(KINDS)}.", kind="QosRuleTypeNotFound"
        )
    number = {"start": 0, "end": 2**31 - 1}
    values: dict[str, Any] = {"direction": ["ingress", "egress"], "dscp_mark": DSCP_MARKS}
    parameters = [
        {
            "parameter_name": name,
            "parameter_type": "choices" if name in values else "range",
            "parameter_values": values.get(name, number),
        }
        for name in KINDS[kind]
    ]
    driver = {"name": "ovn", "supported_parameters": parameters}
    return Reply({"rule_type": {"type": kind, "drivers": [driver]}})


DSCP_MARKS = [0, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34, 36, 38, 40, 46, 48, 56]

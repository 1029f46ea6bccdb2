"""Security groups as Compute showed them before there was a Network service: passed on to that, until 2.35."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.api.schema import Schema
from clearsky.compute.schema.servers import holding
from clearsky.errors import Conflict, Invalid, NotFound
from clearsky.network import service as network

routes = Routes()
_GROUPS, _RULES = "/v2.1/os-security-groups", "/v2.1/os-security-group-rules"
_UNTIL = (2, 35)
_TEXT = {"type": ["string", "null"], "minLength": 0, "maxLength": 255}
_GROUP = Schema(
    {
        "type": "object",
        "properties": {
            "security_group": {
                "type": "object",
                "properties": {
                    "name": _TEXT | {"type": "string", "minLength": 1},
                    "description": _TEXT,
                },
                "required": ["name"],
                "additionalProperties": False,
            }
        },
        "required": ["security_group"],
        "additionalProperties": False,
    }
)
_PORT = {"type": ["integer", "string", "null"], "pattern": "^-?[0-9]{1,5}$", "minimum": -1, "maximum": 65535}
_RULE = Schema(
    {
        "type": "object",
        "properties": {
            "security_group_rule": {
                "type": "object",
                "properties": {
                    "parent_group_id": {"type": ["string", "integer"]},
                    "ip_protocol": {"type": ["string", "null"]},
                    "from_port": _PORT,
                    "to_port": _PORT,
                    "cidr": {"type": ["string", "null"]},
                    "group_id": {"type": ["string", "integer", "null"]},
                },
                "required": ["parent_group_id"],
            }
        },
        "required": ["security_group_rule"],
        "additionalProperties": False,
    }
)


def views(call: Call, ids: list[str]) -> list[dict[str, Any]]:
    """Show these groups with their rules."""
    if not ids:
        return []
    query = [("id", id) for id in ids]
    found = network.ask(call, "GET", "/v2.0/security-groups", query=query)["security_groups"]
    return _views(call, found)


def _views(call: Call, groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    remote = (
        {rule["remote_group_id"] for group in groups for rule in group["security_group_rules"]}
        - {group["id"] for group in groups}
        - {None}
    )
    others: list[dict[str, Any]] = []
    if remote:
        query = [("id", id) for id in sorted(remote)]
        others = network.ask(call, "GET", "/v2.0/security-groups", query=query)["security_groups"]
    names = {group["id"]: (group["name"], group["project_id"]) for group in [*groups, *others]}
    return [
        {
            "id": group["id"],
            "name": group["name"],
            "description": group["description"],
            "tenant_id": group["project_id"],
            "rules": [
                _rule(rule, names) for rule in group["security_group_rules"] if rule["direction"] == "ingress"
            ],
        }
        for group in groups
    ]


def _rule(rule: dict[str, Any], names: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """Show one incoming rule: a range of ports, and where from."""
    protocol, group = rule["protocol"], rule["remote_group_id"]
    shown: dict[str, Any] = {
        "id": rule["id"],
        "parent_group_id": rule["security_group_id"],
        "ip_protocol": protocol,
        "from_port": _edge(rule["port_range_min"], protocol, 1),
        "to_port": _edge(rule["port_range_max"], protocol, 65535),
        "group": {},
        "ip_range": {},
    }
    if group:
        name, project_id = names.get(group, ("", rule["project_id"]))
        shown["group"] = {"name": name, "tenant_id": project_id}
    else:
        everywhere = "::/0" if rule["ethertype"] == "IPv6" else "0.0.0.0/0"
        shown["ip_range"] = {"cidr": rule["remote_ip_prefix"] or everywhere}
    return shown


def _edge(port: int | None, protocol: str | None, otherwise: int) -> int | None:
    if port is not None or protocol is None:
        return port
    return -1 if "icmp" in protocol else otherwise


@routes.get(
    _GROUPS, rule="os_compute_api:os-security-groups:get", until=_UNTIL, response=holding("security_groups")
)
def list_groups(call: Call) -> Reply:
    """List the project's security groups."""
    query = []
    if not (call.scope is None and "all_tenants" in call.query):
        query = [("project_id", call.caller.project_id or "")]
    found = network.ask(call, "GET", "/v2.0/security-groups", query=query)["security_groups"]
    shown = sorted(_views(call, found), key=lambda one: (one["tenant_id"], one["name"]))
    start = _number(call, "offset", 0)
    end = start + _number(call, "limit", call.house.config.api.page_limit)
    return Reply({"security_groups": shown[start:end]})


def _number(call: Call, name: str, otherwise: int) -> int:
    text = call.query.get(name)
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdigit():
        raise Invalid(f"{name} = {text!r:.40} is not a whole number of 0 or more")
    return min(int(text), 2**31)


@routes.post(
    _GROUPS,
    rule="os_compute_api:os-security-groups:create",
    until=_UNTIL,
    request=_GROUP,
    response=holding("security_group"),
)
def create_group(call: Call) -> Reply:
    """Create a security group."""
    made = network.ask(call, "POST", "/v2.0/security-groups", {"security_group": _words(call)})
    return Reply({"security_group": _views(call, [made["security_group"]])[0]})


def _words(call: Call) -> dict[str, str]:
    body = call.body["security_group"]
    return {"name": body["name"], "description": body.get("description") or ""}


def _path(call: Call) -> str:
    return f"/v2.0/security-groups/{call.params['id']}"


@routes.get(
    _GROUPS + "/{id}",
    rule="os_compute_api:os-security-groups:show",
    until=_UNTIL,
    response=holding("security_group"),
)
def show_group(call: Call) -> Reply:
    """Show a security group."""
    found = network.ask(call, "GET", _path(call))["security_group"]
    return Reply({"security_group": _views(call, [found])[0]})


@routes.put(
    _GROUPS + "/{id}",
    rule="os_compute_api:os-security-groups:update",
    until=_UNTIL,
    request=_GROUP,
    response=holding("security_group"),
)
def update_group(call: Call) -> Reply:
    """Change a security group's name and description."""
    found = network.ask(call, "PUT", _path(call), {"security_group": _words(call)})["security_group"]
    return Reply({"security_group": _views(call, [found])[0]})


@routes.delete(_GROUPS + "/{id}", rule="os_compute_api:os-security-groups:delete", until=_UNTIL, status=202)
def delete_group(call: Call) -> Reply:
    """Delete a security group."""
    try:
        network.ask(call, "DELETE", _path(call))
    except Conflict as error:
        raise Invalid(error.message) from error
    return Reply()


@routes.post(
    _RULES,
    rule="os_compute_api:os-security-groups:rule:create",
    until=_UNTIL,
    request=_RULE,
    response=holding("security_group_rule"),
)
def create_rule(call: Call) -> Reply:
    """Allow one kind of incoming traffic."""
    body = call.body["security_group_rule"]
    group_id, cidr = body.get("group_id"), body.get("cidr")
    if group_id and cidr:
        raise Invalid("cidr and group_id exclude each other: give one of them")
    protocol = (body.get("ip_protocol") or "").lower() or None
    if protocol is None and not group_id:
        raise Invalid("ip_protocol is missing: tcp, udp or icmp")
    low, high = (None if body.get(name) is None else int(body[name]) for name in ("from_port", "to_port"))
    if (low is None) != (high is None):
        raise Invalid("from_port and to_port go together")
    if protocol and "icmp" in protocol:
        low, high = (None if edge == -1 else edge for edge in (low, high))
    rule = {
        "security_group_id": str(body["parent_group_id"]),
        "direction": "ingress",
        "ethertype": "IPv6" if cidr and ":" in cidr else "IPv4",
        "protocol": protocol,
        "port_range_min": low,
        "port_range_max": high,
    }
    if group_id:
        rule["remote_group_id"] = str(group_id)
    else:
        rule["remote_ip_prefix"] = cidr or "0.0.0.0/0"
    try:
        made = network.ask(call, "POST", "/v2.0/security-group-rules", {"security_group_rule": rule})
    except Conflict as error:
        raise Invalid(error.message) from error
    names = {}
    if group_id:
        other = network.ask(call, "GET", f"/v2.0/security-groups/{group_id}")["security_group"]
        names[other["id"]] = (other["name"], other["project_id"])
    return Reply({"security_group_rule": _rule(made["security_group_rule"], names)})


@routes.delete(
    _RULES + "/{id}", rule="os_compute_api:os-security-groups:rule:delete", until=_UNTIL, status=202
)
def delete_rule(call: Call) -> Reply:
    """Forbid what a rule has allowed."""
    try:
        network.ask(call, "DELETE", f"/v2.0/security-group-rules/{call.params['id']}")
    except NotFound as error:
        raise NotFound(f"Security group rule {call.params['id']:.80} could not be found.") from error
    return Reply()

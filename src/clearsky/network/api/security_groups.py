"""Security groups and their rules."""

from __future__ import annotations

import ipaddress
from typing import Any

from sqlalchemy import Connection, delete, select

from clearsky.api.call import Call, Reply
from clearsky.api.routing import Routes
from clearsky.errors import Conflict, Invalid
from clearsky.network import groups, quotas, store
from clearsky.network import tables as t
from clearsky.network.api import kit

routes = Routes()
PROTOCOLS = {"ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "icmp": 1, "icmpv6": 58, "igmp": 2, "ipip": 4,
             "ipv6-encap": 41, "ipv6-frag": 44, "ipv6-icmp": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43,
             "ospf": 89, "pgm": 113, "rsvp": 46, "sctp": 132, "tcp": 6, "udp": 17, "udplite": 136, "vrrp": 112}  # fmt: skip
WITH_PORTS = {6, 17, 33, 132, 136}
_NUMBER = {"type": ["integer", "string", "null"]}
_RULE = {
    "security_group_id": kit.UUID,
    "direction": {"enum": ["ingress", "egress"]},
    "ethertype": {"enum": ["IPv4", "IPv6", "ipv4", "ipv6"]},
    "protocol": {"type": ["string", "integer", "null"]},
    "port_range_min": _NUMBER,
    "port_range_max": _NUMBER,
    "remote_ip_prefix": {"type": ["string", "null"], "maxLength": 64},
    "remote_group_id": kit.OPTIONAL_UUID,
}


def view_rules(_c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    return [_rule(row) for row in rows]


def _rule(row: Any) -> dict[str, Any]:
    shown = (
        kit.standard(row) | {name: getattr(row, name) for name in _RULE} | {"remote_address_group_id": None}
    )
    del shown["name"]
    return shown


def view(c: Connection, rows: list[Any], _call: Call) -> list[dict[str, Any]]:
    found: dict[str, list[Any]] = {}
    query = select(t.rules).where(t.rules.c.security_group_id.in_([row.id for row in rows]))
    for rule in c.execute(query.order_by(t.rules.c.created_at, t.rules.c.id)):
        found.setdefault(rule.security_group_id, []).append(_rule(rule))
    return [
        kit.standard(row)
        | {"stateful": row.stateful, "shared": False, "security_group_rules": found.get(row.id, [])}
        for row in rows
    ]


GROUP = kit.Resource(
    "security_group",
    "security_groups",
    t.security_groups,
    view,
    {"stateful": kit.FLAG},
    {"stateful": kit.FLAG},
)
RULE = kit.Resource(
    "security_group_rule",
    "security_group_rules",
    t.rules,
    view_rules,
    _RULE,
    {},
    required=("security_group_id", "direction"),
)
_GROUP_SHOWN, _RULE_SHOWN = GROUP.shown(), RULE.shown()


def _create(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    project_id = kit.owner_of(call, body)
    groups.ensure_default(c, project_id)
    if body.get("name") == groups.DEFAULT:
        raise Conflict("Default security group already exists.", kind="SecurityGroupDefaultAlreadyExists")
    quotas.check(c, call.house, project_id, "security_group")
    quotas.check(c, call.house, project_id, "security_group_rule", 2)
    columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
    row = store.create(
        c,
        t.security_groups,
        columns | {"project_id": project_id, "stateful": kit.truth(body.get("stateful", True))},
    )
    groups.add_egress(c, row)
    return row


@routes.post(
    "/v2.0/security-groups",
    rule="create_security_group",
    status=201,
    request=GROUP.creation(),
    response=_GROUP_SHOWN,
)
def create_group(call: Call) -> Reply:
    """Create a security group that lets everything out and nothing in."""
    return kit.create_all(GROUP, call, lambda c, body: _create(call, c, body))


@routes.get("/v2.0/security-groups", rule="get_security_group", response=_GROUP_SHOWN)
def list_groups(call: Call) -> Reply:
    """List security groups; the project's default one is made where it is not there yet."""
    if call.caller.project_id:
        with call.house.db.read() as c:
            g = t.security_groups.c
            there = c.execute(
                select(g.id).where(g.project_id == call.caller.project_id, g.is_default)
            ).first()
        if there is None:
            with call.house.db.write() as c:
                groups.ensure_default(c, call.caller.project_id)
                store.sync(c, call.request_id)
    return kit.listed(GROUP, call)


@routes.get("/v2.0/security-groups/{id}", rule="get_security_group", response=_GROUP_SHOWN)
def show_group(call: Call) -> Reply:
    """Show a security group with its rules."""
    return kit.show(GROUP, call)


@routes.put(
    "/v2.0/security-groups/{id}",
    rule="update_security_group",
    request=GROUP.changing(),
    response=_GROUP_SHOWN,
)
def update_group(call: Call) -> Reply:
    """Update a security group."""
    body = call.body["security_group"]
    with call.house.db.write() as c:
        row = kit.writable(c, GROUP, call, "update", call.params["id"])
        if row.is_default and body.get("name", row.name) != row.name:
            raise Conflict(
                f"Updating default security group {row.id}'s name is not allowed.",
                kind="SecurityGroupCannotUpdateDefault",
            )
        columns: dict[str, Any] = {name: body[name] for name in ("name", "description") if name in body}
        if "stateful" in body and kit.truth(body["stateful"]) != row.stateful:
            _unused(c, row)
            columns["stateful"] = kit.truth(body["stateful"])
        row = store.change(c, t.security_groups, row.id, columns)
        shown = view(c, [row], call)[0]
        store.sync(c, call.request_id)
    return Reply({"security_group": shown})


def _unused(c: Connection, row: Any) -> None:
    used = (
        c.execute(select(t.port_groups.c.port_id).where(t.port_groups.c.security_group_id == row.id))
        .scalars()
        .all()
    )
    if used:
        named = ", ".join(f"port {id}" for id in used[:10])
        raise Conflict(f"Security Group {row.id} in use: {named}.", kind="SecurityGroupInUse")


@routes.delete("/v2.0/security-groups/{id}", rule="delete_security_group")
def delete_group(call: Call) -> Reply:
    """Delete a security group that no port is in."""
    with call.house.db.write() as c:
        row = kit.writable(c, GROUP, call, "delete", call.params["id"])
        if row.is_default and not call.caller.is_admin:
            raise Conflict(
                "Insufficient rights for removing default security group.",
                kind="SecurityGroupCannotRemoveDefault",
            )
        _unused(c, row)
        r = t.rules.c
        c.execute(delete(t.rules).where((r.security_group_id == row.id) | (r.remote_group_id == row.id)))
        store.remove(c, t.security_groups, row.id)
        store.sync(c, call.request_id)
    return Reply()


# -- rules ------------------------------------------------------------------------------------------------------


def _number(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit() or len(str(value)) > 6:
        raise Invalid(
            f"Invalid value for {name}: {value!r} is not a number.", kind="SecurityGroupInvalidPortValue"
        )
    return int(value)


def protocol_number(text: str | None) -> int | None:
    """Return the IP protocol number of a name or number."""
    if text is None:
        return None
    return PROTOCOLS.get(text, int(text) if text.isdigit() else None)


def _protocol(value: Any) -> str | None:
    if value is None or str(value).lower() in ("any", "0"):
        return None
    text = str(value).lower()
    if text in PROTOCOLS or (text.isascii() and text.isdigit() and int(text[:4]) <= 255):
        return text
    raise Invalid(
        f"Security group rule protocol {value!r:.60} not supported: a name ({', '.join(PROTOCOLS)}) or 0-255.",
        kind="SecurityGroupRuleInvalidProtocol",
    )


def _ranges(protocol: str | None, low: int | None, high: int | None) -> None:
    number = protocol_number(protocol)
    if low is None and high is None:
        return
    if number in (1, 58):
        for name, value in (("port_range_min", low), ("port_range_max", high)):
            if value is not None and not 0 <= value <= 255:
                raise Invalid(
                    f"Invalid value for ICMP {'type' if name.endswith('min') else 'code'} ({name}) {value}. It must be 0 to 255.",
                    kind="SecurityGroupInvalidIcmpValue",
                )
        if low is None:
            raise Invalid(
                f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
                kind="SecurityGroupMissingIcmpType",
            )
        return
    if number not in WITH_PORTS:
        raise Invalid(
            "Port range cannot be specified for this protocol: name tcp, udp, sctp, dccp or udplite.",
            kind="SecurityGroupProtocolRequiredWithPorts",
        )
    if low is None or high is None or not 0 <= low <= high <= 65535 or (number == 6 and low == 0):
        raise Invalid(
            f"Invalid port range {low}:{high}: port_range_min <= port_range_max, between 1 and 65535.",
            kind="SecurityGroupInvalidPortRange",
        )


def _create_rule(call: Call, c: Connection, body: dict[str, Any]) -> Any:
    group = kit.writable(c, GROUP, call, "update", body["security_group_id"])
    quotas.check(c, call.house, group.project_id, "security_group_rule")
    ethertype = "IPv6" if body.get("ethertype", "IPv4").lower() == "ipv6" else "IPv4"
    low, high = (
        _number("port_range_min", body.get("port_range_min")),
        _number("port_range_max", body.get("port_range_max")),
    )
    protocol, prefix = _protocol(body.get("protocol")), body.get("remote_ip_prefix") or None
    _ranges(protocol, low, high)
    if prefix and body.get("remote_group_id"):
        raise Invalid(
            "Only remote_ip_prefix or remote_group_id may be provided.",
            kind="SecurityGroupRemoteGroupAndRemoteIpPrefix",
        )
    if body.get("remote_group_id"):
        store.get(c, t.security_groups, call.scope, body["remote_group_id"])
    if prefix:
        prefix = _prefix(prefix, ethertype)
    columns: dict[str, Any] = {
        "project_id": group.project_id,
        "description": body.get("description", ""),
        "security_group_id": group.id,
        "direction": body["direction"],
        "ethertype": ethertype,
        "protocol": protocol,
        "port_range_min": low,
        "port_range_max": high,
        "remote_ip_prefix": prefix,
        "remote_group_id": body.get("remote_group_id"),
    }
    same = [name for name in columns if name not in ("project_id", "description")]
    query = select(t.rules.c.id).where(
        *(t.rules.c[name].is_not_distinct_from(columns[name]) for name in same)
    )
    if twin := c.execute(query).scalar():
        raise Conflict(
            f"Security group rule already exists. Rule id is {twin}.", kind="SecurityGroupRuleExists"
        )
    return store.create(c, t.rules, columns)


def _prefix(text: str, ethertype: str) -> str:
    try:
        net = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise Invalid(
            f"'{text}' is not a valid IP subnet (remote_ip_prefix).", kind="HTTPBadRequest"
        ) from error
    if f"IPv{net.version}" != ethertype:
        raise Invalid(
            f"Conflicting value ethertype {ethertype} for CIDR {text}",
            kind="SecurityGroupRuleParameterConflict",
        )
    return str(net)


@routes.post(
    "/v2.0/security-group-rules",
    rule="create_security_group_rule",
    status=201,
    request=RULE.creation(),
    response=_RULE_SHOWN,
)
def create_rule(call: Call) -> Reply:
    """Allow one kind of traffic."""
    return kit.create_all(RULE, call, lambda c, body: _create_rule(call, c, body))


@routes.get("/v2.0/security-group-rules", rule="get_security_group_rule", response=_RULE_SHOWN)
def list_rules(call: Call) -> Reply:
    """List rules."""
    return kit.listed(RULE, call)


@routes.get("/v2.0/security-group-rules/{id}", rule="get_security_group_rule", response=_RULE_SHOWN)
def show_rule(call: Call) -> Reply:
    """Show a rule."""
    return kit.show(RULE, call)


@routes.delete("/v2.0/security-group-rules/{id}", rule="delete_security_group_rule")
def delete_rule(call: Call) -> Reply:
    """Delete a rule; what it allowed is cut off, established connections too."""
    with call.house.db.write() as c:
        row = kit.writable(c, RULE, call, "delete", call.params["id"])
        store.remove(c, t.rules, row.id)
        store.sync(c, call.request_id)
    return Reply()

"""What a security group rule may say: protocol, ports, far end; checked alike for rules and for templates of rules."""

from __future__ import annotations

import ipaddress
from typing import Any

from clearsky.errors import Invalid
from clearsky.network.api import kit
from clearsky.network.model import PROTOCOLS

WITH_PORTS = {6, 17, 33, 132, 136}
_NUMBER = {"type": ["integer", "string", "null"]}
FIELDS = {
    "direction": {"enum": ["ingress", "egress"]},
    "ethertype": {"enum": ["IPv4", "IPv6", "ipv4", "ipv6", None]},
    "protocol": {"type": ["string", "integer", "null"]},
    "port_range_min": _NUMBER,
    "port_range_max": _NUMBER,
    "remote_ip_prefix": {"type": ["string", "null"], "maxLength": 64},
    "remote_group_id": {"type": ["string", "null"], "maxLength": 64},
    "remote_address_group_id": kit.OPTIONAL_UUID,
}
ANY = ("any", "0")


def columns(body: dict[str, Any]) -> dict[str, Any]:
    """Return the columns of a rule; raises Invalid."""
    ethertype = "IPv6" if (body.get("ethertype") or "IPv4").lower() == "ipv6" else "IPv4"
    low = _number("port_range_min", body.get("port_range_min"))
    high = _number("port_range_max", body.get("port_range_max"))
    protocol = _protocol(body.get("protocol"))
    if protocol and protocol_number(protocol) == 58 and ethertype == "IPv4" and protocol != "58":
        raise Invalid(
            f"Invalid ethertype {ethertype} for protocol {protocol}.",
            kind="SecurityGroupEthertypeConflictWithProtocol",
        )
    _ranges(protocol, low, high)
    far = {
        name: body[name]
        for name in ("remote_ip_prefix", "remote_group_id", "remote_address_group_id")
        if body.get(name)
    }
    if len(far) > 1:
        raise Invalid(
            f"Only one of {', '.join(far)} may be provided.", kind="SecurityGroupMultipleRemoteEntites"
        )
    if "remote_ip_prefix" in far:
        _prefix(far["remote_ip_prefix"], ethertype)
    return {
        "direction": body["direction"],
        "ethertype": ethertype,
        "protocol": protocol,
        "port_range_min": low,
        "port_range_max": high,
        "remote_ip_prefix": far.get("remote_ip_prefix"),
        "remote_group_id": far.get("remote_group_id"),
        "remote_address_group_id": far.get("remote_address_group_id"),
    }


def normalized(prefix: str | None) -> str | None:
    """Return the network that a prefix means: 10.0.0.5/24 is 10.0.0.0/24."""
    return None if prefix is None else str(ipaddress.ip_network(prefix, strict=False))


def meaning(rule: Any) -> tuple[Any, ...]:
    """Return what a rule allows, the same for rules that say it differently: for finding duplicates."""
    far = (normalized(rule["remote_ip_prefix"]), rule["remote_group_id"], rule["remote_address_group_id"])
    number = protocol_number(rule["protocol"])
    return (
        rule["direction"],
        rule["ethertype"],
        number,
        rule["port_range_min"],
        rule["port_range_max"],
        *far,
    )


def protocol_number(text: str | None) -> int | None:
    """Return the IP protocol number of a name or number."""
    if text is None:
        return None
    return PROTOCOLS.get(text, int(text) if text.isdigit() else None)


def _number(name: str, value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit() or len(str(value)) > 6:
        raise Invalid(
            f"Invalid value for {name}: {value!r:.60} is not a number.", kind="SecurityGroupInvalidPortValue"
        )
    return int(value)


def _protocol(value: Any) -> str | None:
    if value is None or str(value).lower() in ANY:
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
        _icmp(low, high)
        return
    if number not in WITH_PORTS:
        raise Invalid(
            "Port range cannot be specified for this protocol: name tcp, udp, sctp, dccp or udplite.",
            kind="SecurityGroupProtocolRequiredWithPorts",
        )
    for value in (low, high):
        if value is not None and not (0 if number != 6 else 1) <= value <= 65535:
            raise Invalid(
                f"Invalid value for port {value}: 1 to 65535.", kind="SecurityGroupInvalidPortValue"
            )
    if low is None or high is None or low > high:
        raise Invalid(
            f"For TCP/UDP protocols, port_range_min must be <= port_range_max: {low}, {high} is no port range.",
            kind="SecurityGroupInvalidPortRange",
        )


def _icmp(low: int | None, high: int | None) -> None:
    for name, value in (("type (port-range-min)", low), ("code (port-range-max)", high)):
        if value is not None and not 0 <= value <= 255:
            raise Invalid(
                f"Invalid value for ICMP {name} {value}. It must be 0 to 255.",
                kind="SecurityGroupInvalidIcmpValue",
            )
    if low is None:
        raise Invalid(
            f"ICMP code (port-range-max) {high} is provided but ICMP type (port-range-min) is missing.",
            kind="SecurityGroupMissingIcmpType",
        )


def _prefix(text: str, ethertype: str) -> None:
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

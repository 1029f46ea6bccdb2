"""DHCP options: the API's names (those of dnsmasq, or numbers) and OVN's, each with the kind of its value."""

from __future__ import annotations

import re

_V4 = {
    "netmask": (1, "address"), "router": (3, "address"), "dns_server": (6, "addresses"), "log_server": (7, "address"),
    "lpr_server": (9, "address"), "hostname": (12, "text"), "domain_name": (15, "text"), "swap_server": (16, "address"),
    "ip_forward_enable": (19, "flag"), "policy_filter": (21, "address"), "default_ttl": (23, "number"),
    "mtu": (26, "number"), "router_discovery": (31, "flag"), "router_solicitation": (32, "address"),
    "arp_cache_timeout": (35, "number"), "ethernet_encap": (36, "flag"), "tcp_ttl": (37, "number"),
    "tcp_keepalive_interval": (38, "number"), "nis_server": (41, "address"), "ntp_server": (42, "addresses"),
    "lease_time": (51, "number"), "server_id": (54, "address"), "T1": (58, "number"), "T2": (59, "number"),
    "tftp_server": (66, "host"), "bootfile_name": (67, "text"), "domain_search_list": (119, "text"),
    "classless_static_route": (121, "routes"), "tftp_server_address": (150, "address"), "path_prefix": (210, "text"),
    "ms_classless_static_route": (249, "routes"), "wpad": (252, "text"),
}  # fmt: skip
_V6 = {"dns_server": (23, "addresses"), "domain_search": (24, "text"), "bootfile_name": (59, "text")}
_ALIASES = {
    "arp_timeout": "arp_cache_timeout", "tcp_keepalive": "tcp_keepalive_interval", "bootfile": "bootfile_name",
    "server_ip_address": "tftp_server_address", "next_server": "tftp_server_address", "domain_search": "domain_search_list",
    "host_name": "hostname",
}  # fmt: skip
DISABLED = "dhcp_disabled"
"""As an option's name: the port gets no lease at all."""
_SHAPES = {
    "address": r"[0-9a-fA-F.:]+",
    "addresses": r"[0-9a-fA-F.:]+(, ?[0-9a-fA-F.:]+)*",
    "number": r"[0-9]{1,10}",
    "flag": r"[01]",
    "text": r'[^"\\\x00-\x1f]{1,255}',
    "host": r"[\w.:-]+",
    "routes": r"[0-9.]+/[0-9]+, ?[0-9.]+(, ?[0-9.]+/[0-9]+, ?[0-9.]+)*",
}


def known(name: str, version: int) -> tuple[str, str] | None:
    """Return OVN's name of an option and the kind of its value; None where OVN cannot send it."""
    short = name.removeprefix("option:").replace("-", "_")
    table = _V4 if version == 4 else _V6
    if short.isdigit():
        return next(((key, kind) for key, (number, kind) in table.items() if number == int(short)), None)
    if short not in table and version == 4:
        short = _ALIASES.get(short, short)
    return (short, table[short][1]) if short in table else None


def fits(kind: str, value: str) -> bool:
    return re.fullmatch(_SHAPES[kind], value) is not None


def names(version: int) -> list[str]:
    """Return the names that an option may have, as the API writes them."""
    return [name.replace("_", "-") for name in (_V4 if version == 4 else _V6)]


def rendered(name: str, value: str, version: int) -> tuple[str, str] | None:
    """Return OVN's key and value of an option; None where there is no such one."""
    found = known(name, version)
    if found is None or not fits(found[1], value):
        return None
    key, kind = found
    if kind == "text" or (kind == "host" and not re.fullmatch(r"[0-9.]+", value)):
        return key, f'"{value}"'
    if kind in ("addresses", "routes"):
        return key, "{" + ", ".join(part.strip() for part in value.split(",")) + "}"
    return key, value

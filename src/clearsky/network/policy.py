"""Network's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, ANY_TOKEN, Rule

_READER = f"{ADMIN} or role:reader"
_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"
_MANAGER = f"{ADMIN} or (role:manager and project_id:%(project_id)s)"
_SERVICE = f"{ADMIN} or role:service"
_NAMES = ("network", "subnet", "subnetpool", "address_scope", "address_group", "port", "router", "floatingip",
          "security_group", "security_group_rule", "rbac_policy", "ndp_proxy")  # fmt: skip

RULES = (
    *(Rule(f"get_{name}", _READER) for name in _NAMES),
    *(Rule(f"{verb}_{name}", _MEMBER) for name in _NAMES for verb in ("create", "update", "delete")),
    *(Rule(f"{verb}_external_gateways", _MEMBER) for verb in ("add", "update", "remove")),
    Rule("update_router:external_gateway_info:enable_snat", ADMIN),
    Rule("update_router:external_gateway_info:external_fixed_ips", ADMIN),
    Rule("add_router_interface", _MEMBER),
    Rule("remove_router_interface", _MEMBER),
    Rule("get_extension", ANY_TOKEN),
    Rule("get_availability_zone", _READER),
    Rule("get_agent", ADMIN),
    Rule("get_default_security_group_rule", ANY_TOKEN),
    Rule("create_default_security_group_rule", ADMIN),
    Rule("delete_default_security_group_rule", ADMIN),
    *(Rule(f"{verb}_network_segment_range", ADMIN) for verb in ("create", "get", "update", "delete")),
    Rule("get_port_binding", _SERVICE),
    *(Rule(f"{verb}_port_binding", _SERVICE) for verb in ("create", "update", "delete")),
    Rule("activate", _SERVICE, "Which of a port's bindings is in force"),
    Rule("get_security_groups_default_statefulness", _READER),
    *(
        Rule(f"{verb}_security_groups_default_statefulness", _MANAGER)
        for verb in ("create", "update", "delete")
    ),
    *(Rule(f"{verb}_trunk", _MEMBER) for verb in ("create", "update", "delete")),
    Rule("get_trunk", _READER),
    Rule("add_subports", _MEMBER),
    Rule("remove_subports", _MEMBER),
    Rule("get_subports", _READER),
    *(Rule(f"{verb}_floatingip_port_forwarding", _MEMBER) for verb in ("create", "update", "delete")),
    Rule("get_floatingip_port_forwarding", _READER),
    *(Rule(f"{verb}_policy", _MANAGER) for verb in ("create", "update", "delete")),
    Rule("get_policy", _READER),
    *(
        Rule(f"{verb}_policy_{kind}_rule", _READER if verb == "get" else _MANAGER)
        for kind in ("bandwidth_limit", "dscp_marking", "minimum_bandwidth")
        for verb in ("create", "get", "update", "delete")
    ),
    Rule("get_rule_type", _READER),
    Rule("show_rule_type", ADMIN),
    Rule("get_auto_allocated_topology", _MEMBER),
    Rule("delete_auto_allocated_topology", _MEMBER),
    Rule("get_floatingip_pool", _READER),
    Rule("get_service_provider", _READER),
    Rule("get_quota", f"{ADMIN} or (role:reader and project_id:%(project_id)s)"),
    Rule("update_quota", ADMIN),
    Rule("delete_quota", ADMIN),
    Rule("get_network_ip_availability", ADMIN),
    Rule("clearsky:get_path", _READER, "Follow a packet from a port of one's own project, or to one"),
    Rule("clearsky:get_topology", _READER, "See how one's networks, routers and servers hang together"),
    Rule("network:admin_attributes", ADMIN, "Attributes that only administrators set or see"),
)

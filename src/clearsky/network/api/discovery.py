"""Version documents, the list of resources, extensions."""

from __future__ import annotations

from typing import Any

from clearsky.api.call import Call, Reply
from clearsky.api.routing import PUBLIC, Routes
from clearsky.api.schema import Schema
from clearsky.errors import NotFound

routes = Routes()
EXTENSIONS = {
    "address-group": "Address group",
    "address-scope": "Address scope",
    "agent": "agent",
    "allowed-address-pairs": "Allowed Address Pairs",
    "allowed-address-pairs-atomic": "Allowed Address Pairs Atomic",
    "auto-allocated-topology": "Auto Allocated Topology Services",
    "availability_zone": "Availability Zone",
    "binding": "Port Binding",
    "binding-extended": "Port Bindings Extended",
    "data-plane-status": "Data plane status",
    "default-subnetpools": "Default Subnetpools",
    "dns-domain-ports": "dns_domain for ports",
    "dns-integration": "DNS Integration",
    "empty-string-filtering": "Empty String Filtering Extension",
    "enable-default-route-ecmp": "Enable Default Route ECMP",
    "ext-gw-mode": "Neutron L3 Configurable external gateway mode",
    "external-gateway-multihoming": "Neutron L3 External Gateway Multihoming",
    "external-net": "Neutron external network",
    "extra_dhcp_opt": "Neutron Extra DHCP options",
    "extraroute": "Neutron Extra Route",
    "extraroute-atomic": "Atomically add/remove extra routes",
    "expose-port-forwarding-in-fip": "Expose Port Forwarding in FIP",
    "filter-validation": "Filter parameters validation",
    "fip-port-details": "Floating IP Port Details Extension",
    "floating-ip-port-forwarding": "Floating IP Port Forwarding",
    "floating-ip-port-forwarding-description": "Port forwarding rule description",
    "floating-ip-port-forwarding-detail": "Floating IP Port Forwarding detail",
    "floating-ip-port-forwarding-port-ranges": "Floating IP Port Forwarding support for port ranges",
    "floatingip-pools": "Floating IP Pools Extension",
    "ip-substring-filtering": "IP address substring filtering",
    "ip_allocation": "IP Allocation",
    "l3-ext-ndp-proxy": "Router support to enable NDP proxy",
    "l3-ndp-proxy": "L3 NDP Proxy",
    "net-mtu": "Network MTU",
    "net-mtu-writable": "Network MTU (writable)",
    "network-ip-availability": "Network IP Availability",
    "network-segment-range": "Neutron Network Segment Range",
    "network_availability_zone": "Network Availability Zone",
    "pagination": "Pagination support",
    "port-device-profile": "Port device profile",
    "port-mac-address-regenerate": "Neutron Port MAC address regenerate",
    "port-resource-request": "Port Resource Request",
    "port-security": "Port Security",
    "port-security-groups-filtering": "Port filtering on security groups",
    "project-id": "project_id field enabled",
    "provider": "Provider Network",
    "qos": "Quality of Service",
    "qos-bw-limit-direction": "Direction for QoS bandwidth limit rule",
    "qos-bw-minimum-ingress": "Ingress direction for QoS minimum bandwidth rule",
    "qos-default": "QoS default policy",
    "qos-fip": "Floating IP QoS",
    "qos-gateway-ip": "Gateway IP QoS",
    "qos-rule-type-details": "Details of QoS rule types",
    "qos-rule-type-filter": "Allow to filter the list of QoS rule types",
    "qos-rules-alias": "Ability to modify QoS rules",
    "quota-check-limit": "Quota engine limit check",
    "quota-check-limit-default": "Quota engine limit check by default",
    "quotas": "Quota management support",
    "quota_details": "Quota details management support",
    "rbac-address-group": "Add address_group type to RBAC",
    "rbac-address-scope": "Address scope RBAC",
    "rbac-policies": "RBAC Policies",
    "rbac-security-groups": "Security group RBAC",
    "rbac-subnetpool": "RBAC for subnet pools",
    "revision-if-match": "If-Match constraints based on revision_number",
    "router": "Neutron L3 Router",
    "router-enable-snat": "Exposes the router enable_snat read-only configuration flag",
    "router_availability_zone": "Router Availability Zone",
    "security-group": "security-group",
    "security-groups-default-rules": "Default rules for security groups",
    "security-groups-default-statefulness": "Security Groups Default Statefulness",
    "security-groups-normalized-cidr": "Normalized CIDR field for security group rules",
    "security-groups-remote-address-group": "Remote address group id field for security group rules",
    "security-groups-rules-belongs-to-default-sg": "Security group rules belongs to the default security group",
    "security-groups-shared-filtering": "Security group filtering on the shared field",
    "service-type": "Neutron Service Type Management",
    "sorting": "Sorting support",
    "standard-attr-description": "standard-attr-description",
    "standard-attr-revisions": "Resource revision numbers",
    "standard-attr-tag": "Tag support for resources with standard attribute",
    "standard-attr-timestamp": "Resource timestamps",
    "stateful-security-group": "Stateful security group",
    "subnet-dns-publish-fixed-ip": "Subnet DNS publish fixed IP",
    "subnet-external-network": "Subnet belongs to an external network",
    "subnet-service-types": "Subnet service types",
    "subnet_allocation": "Subnet Allocation",
    "subnet_onboard": "Subnet Onboard",
    "subnetpool-prefix-ops": "Subnet Pool Prefix Operations",
    "tag-creation": "Tag creation with the resource",
    "tag-ports-during-bulk-creation": "Tag Ports During Bulk Creation",
    "trunk": "Trunk Extension",
    "trunk-details": "Trunk port details",
    "vlan-transparent": "Vlantransparent",
}
"""What really works, and nothing else: clients decide by this list."""
_COLLECTIONS = (
    "networks", "network-segment-ranges", "subnets", "subnetpools", "ports", "routers", "ndp-proxies", "floatingips", "security-groups",
    "security-group-rules", "default-security-group-rules", "security-groups-default-statefulness", "address-groups", "address-scopes", "rbac-policies",
    "quotas", "extensions", "agents", "availability_zones", "trunks", "policies", "network-ip-availabilities", "service-providers",
)  # fmt: skip
_EXTENSION = {"type": "object", "required": ["alias", "name", "description", "updated", "links"]}
_LIST = {
    name: Schema({"type": "object", "properties": {name: {"type": "array"}}, "required": [name]})
    for name in ("extensions", "resources")
}


@routes.get("", rule=PUBLIC)
def list_versions(call: Call) -> Reply:
    """List the versions of the Network API."""
    links = [{"rel": "self", "href": f"{call.base_url}/v2.0/"}]
    return Reply({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})


@routes.get("/v2.0", rule="get_extension", response=_LIST["resources"])
def list_resources(call: Call) -> Reply:
    """List the collections of the API."""
    found = [
        {
            "name": _singular(name),
            "collection": name,
            "links": [{"rel": "self", "href": f"{call.base_url}/v2.0/{name}"}],
        }
        for name in _COLLECTIONS
    ]
    return Reply({"resources": found})


def _singular(name: str) -> str:
    return name[:-3] + "y" if name.endswith("ies") else name.removesuffix("s")


def _extension(alias: str) -> dict[str, Any]:
    name = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": name,
        "updated": "2026-01-01T00:00:00-00:00",
        "links": [],
    }


@routes.get("/v2.0/extensions", rule="get_extension", response=_LIST["extensions"])
def list_extensions(call: Call) -> Reply:
    """List what the API offers beyond its core; only what really works is here."""
    return Reply({"extensions": [_extension(alias) for alias in EXTENSIONS]})


@routes.get(
    "/v2.0/extensions/{alias}",
    rule="get_extension",
    response=Schema({"type": "object", "properties": {"extension": _EXTENSION}, "required": ["extension"]}),
)
def show_extension(call: Call) -> Reply:
    """Show one extension."""
    alias = call.params["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension with alias {alias} does not exist", kind="HTTPNotFound")
    return Reply({"extension": _extension(alias)})

"""A generated world of tenants, made through the Network API: the same seed makes the same one.

Ranges overlap, networks are shared, groups refer to each other; some ports are without protection, some without
groups, some switched off.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

N = "/network/v2.0"
RANGES = ("10.0.0.0/24", "10.0.1.0/24", "192.168.7.0/24")
RANGES6 = ("fd00:0:0:1::/64", "fd00:0:0:2::/64", "fd00:0:0:3::/64")
SLAAC = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
PUBLIC = "172.24.4.0/24"
PORTS = (22, 80, 85, 90, 91, 443, 5000)
"""Numbers on both sides of what the rules' ranges end at."""


@dataclass
class Tenant:
    name: str
    id: str
    groups: dict[str, str] = field(default_factory=dict)
    networks: list[dict[str, Any]] = field(default_factory=list)
    routers: list[str] = field(default_factory=list)


class Soup:
    """`client` is an administrator's; everything is made for projects by name."""

    def __init__(
        self, client: Any, seed: int, hosts: list[str], *, tenants: int = 10, networks: int = 3
    ) -> None:
        self.client, self.rng, self.hosts = client, random.Random(seed), hosts
        self.shared: list[tuple[Tenant, dict[str, Any]]] = []
        self.guests: list[str] = []
        self.tenants = [self._tenant(f"t{number}") for number in range(tenants)]
        for tenant in self.tenants:
            self._groups(tenant)
        self._public()
        for number, tenant in enumerate(self.tenants):
            for index in range(networks):
                self._network(tenant, index, bare=index == 2 and number == 3)
            self._routers(tenant, number)
        self._share()
        for tenant in self.tenants:
            for network in tenant.networks:
                for _ in range(self.rng.choice((2, 3, 3, 4))):
                    self.port(tenant, network)
        for tenant, network in self.shared:
            self.port(tenant, network)
        self._floating()

    # -- calls --------------------------------------------------------------------------------------------------

    def post(self, path: str, name: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.post(f"{N}/{path}", json={name: body})
        assert answer.status_code == 201, f"{path}: {answer.text}"
        made: dict[str, Any] = answer.json()[name]
        return made

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.put(f"{N}/{path}", json=body)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        told: dict[str, Any] = answer.json()
        return told

    # -- parts --------------------------------------------------------------------------------------------------

    def _tenant(self, name: str) -> Tenant:
        answer = self.client.post("/identity/v3/projects", json={"project": {"name": f"soup-{name}"}})
        assert answer.status_code == 201, answer.text
        return Tenant(name, answer.json()["project"]["id"])

    def _groups(self, tenant: Tenant) -> None:
        for name in ("open", "web", "peers", "known", "narrow"):
            self._group(tenant, name)
        self._group(tenant, "loose", stateful=False)
        address_group = {
            "name": "known",
            "project_id": tenant.id,
            "addresses": ["10.0.0.8/29", "fd00:0:0:1::/64"],
        }
        known = self.post("address-groups", "address_group", address_group)["id"]
        for version, prefix in ((4, "10.0.0.0/29"), (6, "fd00:0:0:1::/64")):
            kind = {"ethertype": f"IPv{version}"}
            self.rule(tenant, "open", kind)
            self.rule(tenant, "web", kind | {"protocol": "tcp", "port_range_min": 80, "port_range_max": 90})
            self.rule(tenant, "web", kind | {"protocol": "icmp"})
            self.rule(
                tenant,
                "web",
                kind
                | {
                    "protocol": "udp",
                    "port_range_min": 22,
                    "port_range_max": 443,
                    "remote_ip_prefix": prefix,
                },
            )
            self.rule(tenant, "peers", kind | {"remote_group_id": tenant.groups["peers"]})
            self.rule(tenant, "peers", kind | {"protocol": "udp", "remote_group_id": tenant.groups["open"]})
            self.rule(tenant, "known", kind | {"remote_address_group_id": known})
            self.rule(
                tenant, "narrow", kind | {"protocol": "tcp", "port_range_min": 443, "port_range_max": 443}
            )
            self.rule(
                tenant, "loose", kind | {"protocol": "udp", "port_range_min": 80, "port_range_max": 443}
            )
            self.rule(
                tenant, "loose", kind | {"protocol": "icmp", "port_range_min": 128 if version == 6 else 8}
            )
            self.rule(tenant, "loose", kind | {"protocol": "tcp", "remote_group_id": tenant.groups["open"]})
        self._only_out(tenant, "narrow", {"protocol": "tcp", "port_range_min": 80, "port_range_max": 443})

    def _group(self, tenant: Tenant, name: str, *, stateful: bool = True) -> None:
        body = {"name": name, "project_id": tenant.id, "stateful": stateful}
        tenant.groups[name] = self.post("security-groups", "security_group", body)["id"]

    def rule(self, tenant: Tenant, group: str, more: dict[str, Any]) -> dict[str, Any]:
        body = {
            "security_group_id": tenant.groups[group],
            "project_id": tenant.id,
            "direction": "ingress",
        } | more
        return self.post("security-group-rules", "security_group_rule", body)

    def _only_out(self, tenant: Tenant, group: str, what: dict[str, Any]) -> None:
        """Put a narrow rule in place of those that let everything out."""
        answer = self.client.get(
            f"{N}/security-group-rules?direction=egress&security_group_id={tenant.groups[group]}"
        )
        for rule in answer.json()["security_group_rules"]:
            assert self.client.delete(f"{N}/security-group-rules/{rule['id']}").status_code == 204
        self.rule(tenant, group, what | {"direction": "egress", "ethertype": "IPv4"})

    def _public(self) -> None:
        body = {
            "name": "soup-public", "router:external": True,
            "provider:network_type": "flat", "provider:physical_network": "physnet1",
        }  # fmt: skip
        found = self.client.get(f"{N}/networks?router:external=true").json()["networks"]
        if found:
            self.public = found[0]["id"]
            return
        self.public = self.post("networks", "network", body)["id"]
        body = {"network_id": self.public, "ip_version": 4, "cidr": PUBLIC, "enable_dhcp": False}
        self.post("subnets", "subnet", body)

    def _network(self, tenant: Tenant, index: int, *, bare: bool) -> None:
        rng = self.rng
        body = {"name": f"{tenant.name}-n{index}", "project_id": tenant.id, "port_security_enabled": not bare}
        network = self.post("networks", "network", body)
        kinds = rng.choice(((4,), (4, 6), (4, 6), (6,)))
        subnets = []
        for version in kinds:
            # Not every two of a tenant's networks can be joined by a router: some have the same range.
            number = index if rng.random() < 0.8 else rng.randrange(len(RANGES))
            cidr = RANGES[number] if version == 4 else RANGES6[number]
            subnet = {
                "network_id": network["id"],
                "project_id": tenant.id,
                "ip_version": version,
                "cidr": cidr,
            }
            subnets.append(self.post("subnets", "subnet", subnet | (SLAAC if version == 6 else {})))
        tenant.networks.append(network | {"subnets": subnets})

    def _routers(self, tenant: Tenant, number: int) -> None:
        body: dict[str, Any] = {"name": f"{tenant.name}-r", "project_id": tenant.id}
        if number % 3 != 2:
            body["external_gateway_info"] = {"network_id": self.public}
        router = self.post("routers", "router", body)["id"]
        tenant.routers.append(router)
        for network in tenant.networks[: 3 if number % 2 else 2]:
            for subnet in network["subnets"]:
                # Refused where the range overlaps one that the router has already.
                self.client.put(
                    f"{N}/routers/{router}/add_router_interface", json={"subnet_id": subnet["id"]}
                )
        if number == 5:
            self.put(f"routers/{router}", {"router": {"admin_state_up": False}})

    def _share(self) -> None:
        """Let everybody use one network, and one tenant use one of another's."""
        first, second, third = self.tenants[0], self.tenants[1], self.tenants[2]
        for owner, target in ((first, "*"), (second, third.id)):
            body = {"object_type": "network", "object_id": owner.networks[0]["id"], "project_id": owner.id}
            self.post(
                "rbac-policies", "rbac_policy", body | {"action": "access_as_shared", "target_tenant": target}
            )
        self.shared = [(tenant, first.networks[0]) for tenant in self.tenants[2:7]]
        self.shared.append((third, second.networks[0]))

    def port(self, tenant: Tenant, network: dict[str, Any]) -> dict[str, Any]:
        """Make a port of a random kind, bound to a host."""
        rng, groups = self.rng, tenant.groups
        body: dict[str, Any] = {
            "name": f"p{len(self.guests):04}", "network_id": network["id"], "project_id": tenant.id,
            "device_owner": "compute:nova", "binding:host_id": rng.choice(self.hosts),
        }  # fmt: skip
        dice = rng.random()
        if not network["port_security_enabled"] or dice < 0.12:
            body |= {"port_security_enabled": False, "security_groups": []}
        elif dice < 0.2:
            body |= {"security_groups": []}
        elif dice < 0.32:
            body |= {"security_groups": [groups["loose"]]}
        else:
            names = ("open", "open", "web", "peers", "known", "narrow")
            body |= {
                "security_groups": sorted({groups[rng.choice(names)] for _ in range(rng.choice((1, 1, 2)))})
            }
            if rng.random() < 0.15:
                body["allowed_address_pairs"] = self._pairs(network)
        if rng.random() < 0.05:
            body["admin_state_up"] = False
        made = self.post("ports", "port", body)
        self.guests.append(made["id"])
        return made

    def _pairs(self, network: dict[str, Any]) -> list[dict[str, str]]:
        last = self.rng.randrange(200, 250)
        pairs = []
        for subnet in network["subnets"]:
            if subnet["ip_version"] == 4:
                pairs.append({"ip_address": subnet["cidr"].replace(".0/24", f".{last}")})
                pairs.append({"ip_address": "172.31.0.0/28"})
            else:
                pairs.append({"ip_address": subnet["cidr"].replace("::/64", f"::{last}")})
        if self.rng.random() < 0.5:
            pairs.append({"ip_address": "172.31.1.1", "mac_address": f"fa:16:3e:ff:00:{last:02x}"})
        return pairs

    def _floating(self) -> None:
        """Give some guests of routers with a gateway an address outside."""
        for tenant in self.tenants[:8]:
            query = f"project_id={tenant.id}&device_owner=compute:nova&sort_key=name"
            ports = self.client.get(f"{N}/ports?{query}").json()["ports"]
            for port in self.rng.sample(ports, min(2, len(ports))):
                body = {"floating_network_id": self.public, "project_id": tenant.id, "port_id": port["id"]}
                # Refused where no router leads there.
                self.client.post(f"{N}/floatingips", json={"floatingip": body})

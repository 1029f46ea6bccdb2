"""A generated world for the path test, made through the API: projects with the same ranges, a shared network, routers
with gateways, extra routes and floating IPs, security groups of every kind, and guests that are plugged in by hand.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass, field
from typing import Any

N = "/network/v2.0"
OUTER, BEYOND = ("172.24.4.1", "2001:db8:4::1"), ("198.51.100.1", "2001:db8:99::1")
"""What is outside: on the provider network itself, and further away; IPv4 and IPv6."""
TCP, UDP = (22, 80, 443), (53, 4000)
PROJECTS = 3


@dataclass
class Guest:
    port: dict[str, Any]
    project: str
    plugged: bool = True
    routes: list[tuple[str, str]] = field(default_factory=list)
    """(range, next hop)"""
    prefixes: dict[str, int] = field(default_factory=dict)
    more: list[str] = field(default_factory=list)
    """Addresses by address pairs."""

    @property
    def id(self) -> str:
        return str(self.port["id"])

    def address(self, version: int) -> str | None:
        found = [one["ip_address"] for one in self.port["fixed_ips"]]
        return next((ip for ip in found if (":" in ip) == (version == 6)), None)


@dataclass
class Ask:
    number: int
    source: str
    """A guest's port, or an outside address."""
    protocol: str
    destination: str
    port: int
    source_address: str = ""


class World:
    def __init__(self, client: Any, seed: int) -> None:
        self.client, self.rng = client, random.Random(seed)
        self.guests: list[Guest] = []
        self.subnets: dict[str, dict[str, Any]] = {}
        self.floating: list[str] = []
        self.forwarded: list[tuple[str, str, int]] = []
        self.router_addresses: list[str] = []
        self.appliances: list[str] = []
        """Addresses beyond a guest that a router's extra route leads to."""
        self.outer_routes: list[tuple[str, str]] = []
        self.groups: dict[str, list[str]] = {}
        self._v6 = 0

    def make(self, path: str, kind: str, /, **body: Any) -> dict[str, Any]:
        answer = self.client.post(f"{N}/{path}", json={kind: body})
        assert answer.status_code == 201, (path, body, answer.text)
        made: dict[str, Any] = answer.json()[kind]
        return made

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.client.put(f"{N}/{path}", json=body)
        assert answer.status_code == 200, (path, body, answer.text)
        changed: dict[str, Any] = answer.json()
        return changed

    def build(self) -> None:
        public = {
            "router:external": True,
            "provider:network_type": "flat",
            "provider:physical_network": "physnet1",
        }
        self.public = self.make("networks", "network", name="public", **public)
        for version, cidr, gateway in ((4, "172.24.4.0/24", OUTER[0]), (6, "2001:db8:4::/64", OUTER[1])):
            self.subnet(self.public["id"], cidr, ip_version=version, gateway_ip=gateway, enable_dhcp=False)
        self.shared = self.make("networks", "network", name="shared", shared=True)
        self.subnet(self.shared["id"], "10.9.0.0/24", gateway_ip="10.9.0.1")
        for number in range(PROJECTS):
            self.project(f"project-{number}", number)
        self.guest("project-0", self.public["id"], port_security_enabled=False, security_groups=[])

    def subnet(self, network: str, cidr: str, **more: Any) -> dict[str, Any]:
        version = ipaddress.ip_network(cidr).version
        made = self.make(
            "subnets", "subnet", network_id=network, cidr=cidr, **({"ip_version": version} | more)
        )
        self.subnets[made["id"]] = made
        return made

    # -- a project ----------------------------------------------------------------------------------------------

    def project(self, name: str, number: int) -> None:
        rng, owner = self.rng, {"project_id": name}
        self.groups[name] = self.security_groups(name)
        nets, subs = [], []
        for index in range(2):
            net = self.make("networks", "network", name=f"net{index}", **owner)
            sub = self.subnet(net["id"], f"10.0.{index}.0/24", **owner)
            nets.append(net)
            subs.append([sub])
            if index == 0 or rng.random() < 0.5:
                self._v6 += 1
                mode = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
                six = self.subnet(net["id"], f"fd00:0:0:{self._v6}::/64", **owner, **mode)
                subs[index].append(six)
        router = self.router(name, snat=number != 1, gateway=True)
        for sub in [one for several in subs for one in several]:
            self.put(f"routers/{router['id']}/add_router_interface", {"subnet_id": sub["id"]})
            self.router_addresses.append(sub["gateway_ip"])
            if sub["ip_version"] == 6:
                six = next(one["ip_address"] for one in router["external_gateway_info"]["external_fixed_ips"] if ":" in one["ip_address"])  # fmt: skip
                self.outer_routes.append((sub["cidr"], six))
        for net in nets:
            for _ in range(rng.choice([2, 3])):
                self.guest(name, net["id"])
        self.guest(name, self.shared["id"])
        self.second_router(name, router)
        self.outer_addresses(name)

    def router(self, project: str, *, snat: bool, gateway: bool, **more: Any) -> dict[str, Any]:
        outside = {"network_id": self.public["id"], "enable_snat": snat}
        info = {"external_gateway_info": outside} if gateway else {}
        return self.make("routers", "router", name=f"router of {project}", project_id=project, **info, **more)

    def second_router(self, project: str, first: dict[str, Any]) -> None:
        """A transit network to another router with a network of its own; in some projects without a way back."""
        owner = {"project_id": project}
        transit = self.make("networks", "network", name="transit", **owner)
        between = self.subnet(transit["id"], "10.0.8.0/24", **owner, gateway_ip=None)
        far = self.make("networks", "network", name="far", **owner)
        there = self.subnet(far["id"], "10.0.9.0/24", **owner)
        second = self.router(project, snat=False, gateway=False, admin_state_up=self.rng.random() < 0.8)
        for router, address in ((first, "10.0.8.101"), (second, "10.0.8.102")):
            fixed = [{"subnet_id": between["id"], "ip_address": address}]
            port = self.make("ports", "port", network_id=transit["id"], fixed_ips=fixed, **owner)
            self.put(f"routers/{router['id']}/add_router_interface", {"port_id": port["id"]})
        self.put(f"routers/{second['id']}/add_router_interface", {"subnet_id": there["id"]})
        appliance = self.guest(project, far["id"], allowed_address_pairs=[{"ip_address": "10.0.50.0/24"}])
        beyond = {"destination": "10.0.50.0/24", "nexthop": appliance.address(4)}
        self.put(f"routers/{second['id']}", {"router": {"routes": [beyond]}})
        appliance.more.append("10.0.50.7/32")
        self.appliances.append("10.0.50.7")
        routes = [{"destination": cidr, "nexthop": "10.0.8.102"} for cidr in ("10.0.9.0/24", "10.0.50.0/24")]
        self.put(f"routers/{first['id']}", {"router": {"routes": routes}})
        if self.rng.random() < 0.6:
            back = {"destination": "10.0.0.0/23", "nexthop": "10.0.8.101"}
            self.put(f"routers/{second['id']}", {"router": {"routes": [beyond, back]}})
        self.guest(project, far["id"])

    def outer_addresses(self, project: str) -> None:
        mine = [one for one in self.guests if one.project == project and self.behind_router(one)]
        for guest in self.rng.sample(mine, 2):
            made = self.make(
                "floatingips", "floatingip", floating_network_id=self.public["id"], port_id=guest.id, project_id=project,
                fixed_ip_address=guest.address(4),
            )  # fmt: skip
            self.floating.append(made["floating_ip_address"])
        idle = self.make(
            "floatingips", "floatingip", floating_network_id=self.public["id"], project_id=project
        )
        if self.rng.random() < 0.5:
            self.floating.append(idle["floating_ip_address"])
            return
        target, port = self.rng.choice(mine), self.rng.choice(TCP)
        self.make(
            f"floatingips/{idle['id']}/port_forwardings", "port_forwarding", protocol="tcp", internal_port_id=target.id,
            internal_ip_address=target.address(4), internal_port=port, external_port=8000 + port,
        )  # fmt: skip
        self.forwarded.append((idle["floating_ip_address"], "tcp", 8000 + port))

    def behind_router(self, guest: Guest) -> bool:
        return (guest.address(4) or "").startswith(("10.0.0.", "10.0.1.")) and bool(guest.plugged)

    # -- security groups ----------------------------------------------------------------------------------------

    def security_groups(self, project: str) -> list[str]:
        made = []
        for number in range(4):
            group = self.make(
                "security-groups",
                "security_group",
                name=f"g{number}",
                project_id=project,
                stateful=number != 3,
            )
            for rule in sorted(
                group["security_group_rules"], key=lambda one: (one["direction"], one["ethertype"])
            ):
                if self.rng.random() < 0.4:
                    self.client.delete(f"{N}/security-group-rules/{rule['id']}")
            made.append(group["id"])
        for id in made:
            for _ in range(self.rng.randrange(2, 7)):
                body = {"security_group_id": id, "project_id": project} | self.rule(made)
                answer = self.client.post(f"{N}/security-group-rules", json={"security_group_rule": body})
                assert answer.status_code in (201, 409), answer.text  # 409: the same rule is there
        return made

    def rule(self, groups: list[str]) -> dict[str, Any]:
        rng = self.rng
        six = rng.random() < 0.3
        body: dict[str, Any] = {"direction": rng.choice(["ingress", "ingress", "egress"])}
        body["ethertype"] = "IPv6" if six else "IPv4"
        match rng.randrange(4):
            case 0:
                body["protocol"] = "icmpv6" if six else "icmp"
            case 1:
                port = rng.choice(TCP)
                body |= {
                    "protocol": "tcp",
                    "port_range_min": port,
                    "port_range_max": port + rng.choice([0, 0, 300]),
                }
            case 2:
                port = rng.choice(UDP)
                body |= {"protocol": "udp", "port_range_min": port, "port_range_max": port}
        match rng.randrange(4):
            case 0:
                body["remote_group_id"] = rng.choice(groups)
            case 1:
                body["remote_ip_prefix"] = rng.choice(["fd00::/16", "2001:db8:4::/64"] if six else ["10.0.0.0/16", "172.24.4.0/24", "10.0.0.0/25"])  # fmt: skip
        return body

    # -- guests -------------------------------------------------------------------------------------------------

    def guest(self, project: str, network: str, **more: Any) -> Guest:
        rng = self.rng
        body: dict[str, Any] = {
            "project_id": project,
            "network_id": network,
            "name": f"guest {len(self.guests)}",
        }
        if "port_security_enabled" not in more:
            groups = rng.sample(self.groups[project], rng.choice([0, 1, 1, 2, 2]))
            body["security_groups"] = groups
            if rng.random() < 0.12 and "allowed_address_pairs" not in more:
                body |= {"port_security_enabled": False, "security_groups": []}
        body["admin_state_up"] = rng.random() > 0.08
        port = self.make("ports", "port", **(body | more))
        found = Guest(port, project, plugged=rng.random() > 0.06)
        for fixed in port["fixed_ips"]:
            subnet = self.subnets[fixed["subnet_id"]]
            found.prefixes[fixed["ip_address"]] = ipaddress.ip_network(subnet["cidr"]).prefixlen
            if subnet["gateway_ip"]:
                found.routes.append(
                    ("::/0" if subnet["ip_version"] == 6 else "0.0.0.0/0", subnet["gateway_ip"])
                )
        self.guests.append(found)
        return found

    # -- questions ----------------------------------------------------------------------------------------------

    def asks(self, count: int) -> list[Ask]:
        rng, found = self.rng, []
        senders = [one for one in self.guests if one.plugged]
        while len(found) < count:
            source = rng.choice(senders)
            version = 6 if rng.random() < 0.25 else 4
            outside = rng.random() < 0.2
            destination = self.destination(source, version, outside=outside)
            if destination is None:
                continue
            if destination in self.appliances and source.port["network_id"] == self.public["id"]:
                continue  # nobody outside has that address
            version = 6 if ":" in destination else 4
            own = rng.choice([OUTER, BEYOND])[version == 6] if outside else source.address(version)
            if own is None or own == destination or f"{destination}/32" in source.more:
                continue
            protocol = rng.choice(["tcp", "tcp", "udp", "icmp"])
            port = {"tcp": rng.choice(TCP), "udp": rng.choice(UDP), "icmp": 0}[protocol]
            for address, kind, number in self.forwarded:
                if destination == address and rng.random() < 0.8:
                    protocol, port = kind, number
            found.append(Ask(len(found), own if outside else source.id, protocol, destination, port, own))
        return found

    def destination(self, source: Guest, version: int, *, outside: bool) -> str | None:
        rng = self.rng
        outer = [*self.floating, *(address for address, _, _ in self.forwarded)]
        if outside:
            six = [address for guest in self.guests if (address := guest.address(6))]
            any_guest = rng.choice(self.guests).address(4)
            return rng.choice([rng.choice(outer), rng.choice(outer), rng.choice(six), any_guest])
        mine = [one for one in self.guests if one.project == source.project and one is not source]
        near = [one for one in mine if one.port["network_id"] == source.port["network_id"]] or mine
        everybody = [one for one in self.guests if one is not source]
        match rng.choices(range(7), [30, 25, 8, 16, 12, 5, 4])[0]:
            case 0:
                return rng.choice(near).address(version)
            case 1:
                return rng.choice(mine).address(version)
            case 2:
                return rng.choice(everybody).address(version)
            case 3:
                return rng.choice(outer)
            case 4:
                return rng.choice([OUTER, BEYOND])[version == 6]
            case 5:
                return rng.choice(self.router_addresses)
            case _:
                return rng.choice(self.appliances)

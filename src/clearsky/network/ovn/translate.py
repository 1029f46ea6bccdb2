"""The translation: a Topology in, northbound rows out. Pure, so that every rule here can be tested without OVN.

Networks are logical switches, routers logical routers; security groups are port groups whose ACLs allow, above a
drop that every port with security is under. ACLs for traffic to a port never match `inport`: OVN does not enforce
that across hosts under VXLAN.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from typing import Any

from clearsky.network.model import (
    FLOATING_IP,
    METADATA,
    ROUTER_GATEWAY,
    ROUTER_INTERFACE,
    Network,
    Port,
    Router,
    Rule,
    Subnet,
    Topology,
)
from clearsky.network.ovn.rows import KEY, Row

DROP_GROUP = "clearsky_drop"
METADATA_IP = "169.254.169.254"
SERVER_MAC = "fa:16:3e:00:00:01"
"""Of the DHCP server that OVN plays in each network."""
LEASE_S = 43200
NAMED = {"tcp": "tcp", "6": "tcp", "udp": "udp", "17": "udp", "sctp": "sctp", "132": "sctp"}
ICMP = {"icmp", "1", "icmpv6", "ipv6-icmp", "58"}


class Translation:
    """One translation at work: indexes of the topology, and the rows found so far."""

    def __init__(self, topology: Topology) -> None:
        self.t = topology
        self.rows: dict[str, Row] = {}
        self.networks = {network.id: network for network in topology.networks}
        self.subnets = {subnet.id: subnet for subnet in topology.subnets}
        self.ports = {port.id: port for port in topology.ports}
        self.by_network: dict[str, list[Port]] = defaultdict(list)
        self.by_device: dict[str, list[Port]] = defaultdict(list)
        for port in topology.ports:
            self.by_network[port.network_id].append(port)
            self.by_device[port.device_id].append(port)
        self.metadata_ip = {
            fixed.subnet_id: fixed.ip_address
            for port in topology.ports
            if port.device_owner == METADATA
            for fixed in port.fixed_ips
        }

    def add(self, table: str, key: str, columns: dict[str, Any], **more: Any) -> None:
        columns = dict(columns)
        columns["external_ids"] = {KEY: key} | columns.get("external_ids", {})
        self.rows[key] = Row(table, key, columns, **more)

    def run(self) -> dict[str, Row]:
        for network in self.t.networks:
            self._switch(network)
        for subnet in self.t.subnets:
            self._dhcp(subnet)
        for router in self.t.routers:
            self._router(router)
        for port in self.t.ports:
            self._port(port)
        self._groups()
        self._dns()
        return self.rows

    # -- networks -----------------------------------------------------------------------------------------------

    def _switch(self, network: Network) -> None:
        other = {"mcast_snoop": "false", "vlan-passthru": "false"}
        self.add("Logical_Switch", f"net-{network.id}", {"name": f"net-{network.id}", "other_config": other})
        if network.network_type == "flat":
            columns = {
                "name": f"provider-{network.id}",
                "type": "localnet",
                "addresses": ["unknown"],
                "options": {"network_name": network.physical_network or ""},
            }
            self.add(
                "Logical_Switch_Port",
                f"provider-{network.id}",
                columns,
                parent=(f"net-{network.id}", "ports"),
            )

    def _dhcp(self, subnet: Subnet) -> None:
        if not subnet.enable_dhcp or self.networks[subnet.network_id].external:
            return
        mtu = self.networks[subnet.network_id].mtu
        if subnet.ip_version == 4:
            self._dhcp4(subnet, mtu)
        elif subnet.ipv6_address_mode in ("dhcpv6-stateful", "dhcpv6-stateless"):
            options = {"server_id": SERVER_MAC}
            if subnet.ipv6_address_mode == "dhcpv6-stateless":
                options["dhcpv6_stateless"] = "true"
            if subnet.dns_nameservers:
                options["dns_server"] = _several(subnet.dns_nameservers)
            self.add("DHCP_Options", f"dhcp-{subnet.id}", {"cidr": subnet.cidr, "options": options})

    def _dhcp4(self, subnet: Subnet, mtu: int) -> None:
        server = (
            subnet.gateway_ip or self.metadata_ip.get(subnet.id) or str(ipaddress.ip_network(subnet.cidr)[1])
        )
        options = {"server_id": server, "server_mac": SERVER_MAC, "lease_time": str(LEASE_S), "mtu": str(mtu)}
        routes = [(destination, hop) for destination, hop in subnet.host_routes]
        if subnet.id in self.metadata_ip:
            routes.insert(0, (f"{METADATA_IP}/32", self.metadata_ip[subnet.id]))
        if subnet.gateway_ip:
            options["router"] = subnet.gateway_ip
            # A client that gets classless routes ignores the router option (RFC 3442): repeat it there.
            routes.append(("0.0.0.0/0", subnet.gateway_ip))
        if routes:
            options["classless_static_route"] = "{" + ", ".join(f"{d},{h}" for d, h in routes) + "}"
        if subnet.dns_nameservers:
            options["dns_server"] = _several(subnet.dns_nameservers)
        self.add("DHCP_Options", f"dhcp-{subnet.id}", {"cidr": subnet.cidr, "options": options})

    # -- ports --------------------------------------------------------------------------------------------------

    def _port(self, port: Port) -> None:
        if port.device_owner == FLOATING_IP:
            return  # an address that NAT answers for; nothing is plugged there
        columns: dict[str, Any] = {"name": port.id, "enabled": [port.admin_state_up]}
        ips = [fixed.ip_address for fixed in port.fixed_ips]
        if port.device_owner in (ROUTER_INTERFACE, ROUTER_GATEWAY):
            if port.device_id not in {router.id for router in self.t.routers}:
                return
            columns |= {
                "type": "router",
                "addresses": ["router"],
                "options": {"router-port": f"lrp-{port.id}"},
            }
            if port.device_owner == ROUTER_GATEWAY:
                columns["options"] |= {"nat-addresses": "router", "exclude-lb-vips-from-garp": "true"}
        elif port.device_owner == METADATA:
            columns |= {"type": "localport", "addresses": [" ".join([port.mac_address, *ips])]}
        else:
            columns |= self._guest(port, ips)
        self.add(
            "Logical_Switch_Port",
            f"port-{port.id}",
            columns,
            parent=(f"net-{port.network_id}", "ports"),
            refs=self._leases(port),
        )

    def _guest(self, port: Port, ips: list[str]) -> dict[str, Any]:
        own = " ".join([port.mac_address, *ips])
        if not port.port_security_enabled:
            return {"addresses": [own, "unknown"], "port_security": []}
        pairs: dict[str, list[str]] = defaultdict(list)
        for mac, address in port.allowed_address_pairs:
            pairs[mac].append(address)
        allowed = [" ".join([port.mac_address, *ips, *pairs.pop(port.mac_address, [])])]
        allowed += [" ".join([mac, *addresses]) for mac, addresses in sorted(pairs.items())]
        if not ips:
            # Without any address nothing but DHCP may leave: an empty list of addresses would allow all.
            return {"addresses": [port.mac_address], "port_security": [f"{port.mac_address} 0.0.0.0"]}
        return {"addresses": [own], "port_security": sorted(allowed)}

    def _leases(self, port: Port) -> dict[str, tuple[str, ...]]:
        if port.device_owner.startswith("network:"):
            return {}
        refs: dict[str, tuple[str, ...]] = {}
        for fixed in port.fixed_ips:
            column = "dhcpv4_options" if self.subnets[fixed.subnet_id].ip_version == 4 else "dhcpv6_options"
            shared = f"dhcp-{fixed.subnet_id}"
            if shared not in self.rows or column in refs:
                continue
            refs[column] = (self._own_lease(port, shared, 4 if column == "dhcpv4_options" else 6),)
        return refs

    def _own_lease(self, port: Port, shared: str, version: int) -> str:
        """Return the key of the DHCP options that this port gets: the subnet's, or its own with extra options."""
        extra = {_option(name): value for name, value, family in port.extra_dhcp_opts if family == version}
        if not extra:
            return shared
        base = self.rows[shared].columns
        self.add(
            "DHCP_Options",
            f"dhcp-port-{port.id}-{version}",
            {"cidr": base["cidr"], "options": base["options"] | extra},
        )
        return f"dhcp-port-{port.id}-{version}"

    # -- routers ------------------------------------------------------------------------------------------------

    def _router(self, router: Router) -> None:
        key = f"router-{router.id}"
        options = {"always_learn_from_arp_request": "false", "dynamic_neigh_routers": "true"}
        self.add("Logical_Router", key, {"name": key, "enabled": [router.admin_state_up], "options": options})
        gateway = self.ports.get(router.gateway_port_id or "")
        inside = [port for port in self.by_device[router.id] if port.device_owner == ROUTER_INTERFACE]
        for port in [*inside, *([gateway] if gateway else [])]:
            self._router_port(router, port, gateway)
        for number, (destination, hop) in enumerate(router.routes):
            columns = {"ip_prefix": destination, "nexthop": hop}
            self.add(
                "Logical_Router_Static_Route",
                f"route-{router.id}-{number}-{destination}",
                columns,
                parent=(key, "static_routes"),
            )
        if gateway:
            self._gateway(router, gateway, inside)

    def _router_port(self, router: Router, port: Port, gateway: Port | None) -> None:
        networks = [
            f"{fixed.ip_address}/{ipaddress.ip_network(self.subnets[fixed.subnet_id].cidr).prefixlen}"
            for fixed in port.fixed_ips
        ]
        columns: dict[str, Any] = {
            "name": f"lrp-{port.id}",
            "mac": port.mac_address,
            "networks": sorted(networks),
        }
        columns["enabled"] = [port.admin_state_up]
        mtu = self.networks[port.network_id].mtu
        if port is gateway:
            columns["options"] = {
                "gateway_mtu": str(
                    min([mtu, *(self.networks[p.network_id].mtu for p in self.by_device[router.id])])
                )
            }
        else:
            advertised = [self.subnets[fixed.subnet_id] for fixed in port.fixed_ips]
            mode = next((s.ipv6_ra_mode for s in advertised if s.ipv6_ra_mode), None)
            if mode:
                columns["ipv6_ra_configs"] = {
                    "address_mode": mode.replace("-", "_") if mode != "slaac" else "slaac",
                    "send_periodic": "true",
                    "mtu": str(mtu),
                }
        self.add("Logical_Router_Port", f"lrp-{port.id}", columns, parent=(f"router-{router.id}", "ports"))
        if port is gateway:
            for priority, host in enumerate(self.t.gateway_hosts):
                name = f"lrp-{port.id}_{host}"
                chassis = {
                    "name": name,
                    "chassis_name": host,
                    "priority": len(self.t.gateway_hosts) - priority,
                }
                self.add("Gateway_Chassis", name, chassis, parent=(f"lrp-{port.id}", "gateway_chassis"))

    def _gateway(self, router: Router, gateway: Port, inside: list[Port]) -> None:
        key = f"router-{router.id}"
        for fixed in gateway.fixed_ips:
            subnet = self.subnets[fixed.subnet_id]
            if subnet.gateway_ip:
                prefix = "0.0.0.0/0" if subnet.ip_version == 4 else "::/0"
                columns = {
                    "ip_prefix": prefix,
                    "nexthop": subnet.gateway_ip,
                    "output_port": [f"lrp-{gateway.id}"],
                }
                self.add(
                    "Logical_Router_Static_Route",
                    f"default-{router.id}-{subnet.id}",
                    columns,
                    parent=(key, "static_routes"),
                )
        outside = next(
            (f.ip_address for f in gateway.fixed_ips if self.subnets[f.subnet_id].ip_version == 4), None
        )
        if outside and router.enable_snat:
            ranges = {
                self.subnets[fixed.subnet_id].cidr
                for port in inside
                for fixed in port.fixed_ips
                if self.subnets[fixed.subnet_id].ip_version == 4
            }
            for cidr in sorted(ranges):
                columns = {"type": "snat", "external_ip": outside, "logical_ip": cidr}
                self.add("NAT", f"snat-{router.id}-{cidr}", columns, parent=(key, "nat"))
        for floating in self.t.floating_ips:
            if floating.router_id == router.id:
                columns = {
                    "type": "dnat_and_snat",
                    "external_ip": floating.floating_ip_address,
                    "logical_ip": floating.fixed_ip_address,
                }
                self.add("NAT", f"floating-{floating.id}", columns, parent=(key, "nat"))

    # -- security groups ----------------------------------------------------------------------------------------

    def _groups(self) -> None:
        secured = [
            p
            for p in self.t.ports
            if p.port_security_enabled
            and f"port-{p.id}" in self.rows
            and not p.device_owner.startswith("network:")
        ]
        members: dict[str, list[str]] = defaultdict(list)
        for port in secured:
            for group_id in port.security_group_ids:
                members[group_id].append(f"port-{port.id}")
        self.add(
            "Port_Group",
            DROP_GROUP,
            {"name": DROP_GROUP},
            refs={"ports": tuple(sorted(f"port-{p.id}" for p in secured))},
        )
        for direction, side in (("from-lport", "inport"), ("to-lport", "outport")):
            columns = {
                "direction": direction,
                "priority": 1001,
                "match": f"{side} == @{DROP_GROUP} && ip",
                "action": "drop",
            }
            self.add("ACL", f"{DROP_GROUP}-{direction}", columns, parent=(DROP_GROUP, "acls"))
        self._always()
        stateful = {group.id: group.stateful for group in self.t.security_groups}
        for group in self.t.security_groups:
            self.add(
                "Port_Group",
                group_name(group.id),
                {"name": group_name(group.id)},
                refs={"ports": tuple(sorted(members[group.id]))},
            )
        for rule in self.t.rules:
            if rule.security_group_id in stateful:
                self._rule(rule, stateful[rule.security_group_id])

    def _always(self) -> None:
        """What no security group may forbid: getting an address, finding neighbours."""
        dhcp4 = "ip4 && ip4.dst == {255.255.255.255, 0.0.0.0/0} && udp && udp.src == 68 && udp.dst == 67"
        dhcp6 = "ip6 && ip6.dst == ff02::1:2 && udp && udp.src == 546 && udp.dst == 547"
        neighbours = "icmp6 && icmp6.type == {133, 135, 136} && ip.ttl == 255"
        reports = "icmp6 && icmp6.type == {131, 143} && ip.ttl == 1"
        answers = "icmp6 && icmp6.type == {134, 135, 136} && ip.ttl == 255"
        for name, direction, match in (
            ("dhcp4", "from-lport", f"inport == @{DROP_GROUP} && {dhcp4}"),
            ("dhcp6", "from-lport", f"inport == @{DROP_GROUP} && {dhcp6}"),
            ("nd-out", "from-lport", f"inport == @{DROP_GROUP} && {neighbours}"),
            ("mld", "from-lport", f"inport == @{DROP_GROUP} && {reports}"),
            ("nd-in", "to-lport", f"outport == @{DROP_GROUP} && {answers}"),
        ):
            columns = {"direction": direction, "priority": 1002, "match": match, "action": "allow"}
            self.add("ACL", f"{DROP_GROUP}-{name}", columns, parent=(DROP_GROUP, "acls"))

    def _rule(self, rule: Rule, stateful: bool) -> None:
        ingress = rule.direction == "ingress"
        columns = {
            "direction": "to-lport" if ingress else "from-lport",
            "priority": 1002,
            "match": match_of(rule),
            "action": "allow-related" if stateful else "allow-stateless",
        }
        self.add("ACL", f"rule-{rule.id}", columns, parent=(group_name(rule.security_group_id), "acls"))

    # -- names --------------------------------------------------------------------------------------------------

    def _dns(self) -> None:
        for network in self.t.networks:
            records: dict[str, list[str]] = defaultdict(list)
            for port in self.by_network[network.id]:
                if port.device_owner.startswith("compute:"):
                    for fixed in port.fixed_ips:
                        records[f"host-{fixed.ip_address.replace('.', '-').replace(':', '-')}"].append(
                            fixed.ip_address
                        )
            if records:
                joined = {name: " ".join(ips) for name, ips in records.items()}
                self.add(
                    "DNS",
                    f"dns-{network.id}",
                    {"records": joined},
                    parent=(f"net-{network.id}", "dns_records"),
                )


def translate(topology: Topology) -> dict[str, Row]:
    """Return every northbound row for the topology, by key."""
    return Translation(topology).run()


def group_name(id: str) -> str:
    """Return the port group's name; OVN wants an identifier, and derives address sets from it."""
    return "pg_" + id.replace("-", "_")


def match_of(rule: Rule) -> str:
    """Return OVN's expression for a security group rule."""
    ingress, four = rule.direction == "ingress", rule.ethertype == "IPv4"
    ip, far = "ip4" if four else "ip6", "src" if ingress else "dst"
    parts = [f"{'outport' if ingress else 'inport'} == @{group_name(rule.security_group_id)}", ip]
    if rule.remote_ip_prefix and not rule.remote_ip_prefix.endswith("/0"):
        parts.append(f"{ip}.{far} == {rule.remote_ip_prefix}")
    if rule.remote_group_id:
        parts.append(f"{ip}.{far} == ${group_name(rule.remote_group_id)}_{ip}")
    return " && ".join([*parts, *_protocol(rule, four)])


def _protocol(rule: Rule, four: bool) -> list[str]:
    name = rule.protocol
    if name is None:
        return []
    low, high = rule.port_range_min, rule.port_range_max
    if name in ICMP:
        icmp = "icmp4" if four else "icmp6"
        parts = [icmp]
        if low is not None:
            parts.append(f"{icmp}.type == {low}")
        if high is not None:
            parts.append(f"{icmp}.code == {high}")
        return parts
    if name in NAMED:
        short = NAMED[name]
        if low is None or (low, high) == (1, 65535):
            return [short]
        return [
            short,
            f"{short}.dst == {low}" if low == high else f"{short}.dst >= {low} && {short}.dst <= {high}",
        ]
    return [f"ip.proto == {PROTOCOL_NUMBERS.get(name, name)}"]


PROTOCOL_NUMBERS = {"ah": 51, "dccp": 33, "egp": 8, "esp": 50, "gre": 47, "igmp": 2, "ipip": 4, "ipv6-encap": 41,
                    "ipv6-frag": 44, "ipv6-nonxt": 59, "ipv6-opts": 60, "ipv6-route": 43, "ospf": 89, "pgm": 113,
                    "rsvp": 46, "udplite": 136, "vrrp": 112}  # fmt: skip


def _several(items: tuple[str, ...]) -> str:
    return "{" + ", ".join(items) + "}"


_OPTIONS = {"mtu": "mtu", "router": "router", "dns-server": "dns_server", "domain-name": "domain_name", "tftp-server": "tftp_server",
            "server-ip-address": "tftp_server_address", "bootfile-name": "bootfile_name", "bootfile": "bootfile_name", "ntp-server": "ntp_server"}  # fmt: skip


def _option(name: str) -> str:
    return _OPTIONS.get(name, name.replace("-", "_"))

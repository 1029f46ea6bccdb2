"""A tenant world that changes: random requests of many kinds, each of which may be refused."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from tests.functional.network.soup import RANGES, N, Soup

ANSWERS = (200, 201, 204, 400, 404, 409)
"""What a request may be answered with; nobody may stumble."""


class Changes:
    """Requests by an administrator in the tenants' names. A request that meets a dead process is sent again."""

    def __init__(self, soup: Soup, seed: int) -> None:
        self.soup, self.rng = soup, random.Random(seed)
        self.done: Counter[str] = Counter()
        self.kinds: tuple[Callable[[], None], ...] = (
            self.add_port, self.add_port, self.remove_port, self.regroup, self.regroup, self.switch_port, self.protect,
            self.add_rule, self.add_rule, self.remove_rule, self.join, self.part, self.float, self.sink, self.add_network,
            self.pair, self.gateway, self.address_group,
        )  # fmt: skip

    def step(self) -> None:
        """Make one change."""
        self.rng.choice(self.kinds)()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.soup.client.request(method, f"{N}/{path}", json=body)
        assert answer.status_code in ANSWERS, f"{method} {path} {body}: {answer.status_code} {answer.text}"
        self.done[f"{method} {path.split('/', maxsplit=1)[0]} {answer.status_code}"] += 1
        return answer.json() if answer.status_code in (200, 201) else None

    def find(self, path: str, query: str = "") -> list[dict[str, Any]]:
        answer = self.soup.client.get(f"{N}/{path}?{query}")
        found: list[dict[str, Any]] = answer.json()[path.replace("-", "_")]
        return found

    def _port(self) -> str:
        return self.rng.choice(self.soup.guests)

    def _tenant(self) -> Any:
        return self.rng.choice(self.soup.tenants)

    # -- kinds --------------------------------------------------------------------------------------------------

    def add_port(self) -> None:
        tenant = self._tenant()
        self.soup.port(tenant, self.rng.choice(tenant.networks))
        self.done["POST ports 201"] += 1

    def remove_port(self) -> None:
        id = self._port()
        self.soup.guests.remove(id)
        self.ask("DELETE", f"ports/{id}")

    def regroup(self) -> None:
        names = ("open", "web", "peers", "known", "narrow")
        groups = self.rng.sample(names, self.rng.choice((0, 1, 2)))
        id = self._port()
        tenant = self._owner(id)
        self.ask(
            "PUT", f"ports/{id}", {"port": {"security_groups": [tenant.groups[name] for name in groups]}}
        )

    def _owner(self, port_id: str) -> Any:
        project = self.soup.client.get(f"{N}/ports/{port_id}").json()["port"]["project_id"]
        return next(one for one in self.soup.tenants if one.id == project)

    def switch_port(self) -> None:
        self.ask("PUT", f"ports/{self._port()}", {"port": {"admin_state_up": self.rng.random() < 0.7}})

    def protect(self) -> None:
        bare = {"port_security_enabled": False, "security_groups": [], "allowed_address_pairs": []}
        body = self.rng.choice((bare, {"port_security_enabled": True}))
        self.ask("PUT", f"ports/{self._port()}", {"port": body})

    def add_rule(self) -> None:
        tenant, rng = self._tenant(), self.rng
        more = rng.choice((
            {"protocol": "tcp", "port_range_min": 22, "port_range_max": rng.choice((22, 85, 443))},
            {"protocol": "udp", "remote_ip_prefix": f"10.0.{rng.randrange(2)}.0/28"},
            {"remote_group_id": tenant.groups[rng.choice(("open", "web"))]},
            {"ethertype": "IPv6", "protocol": "tcp"},
            {"direction": "egress", "protocol": "udp"},
        ))  # fmt: skip
        body = {
            "security_group_id": tenant.groups[rng.choice(("web", "peers", "narrow"))],
            "direction": "ingress",
        }
        self.ask("POST", "security-group-rules", {"security_group_rule": body | more})

    def remove_rule(self) -> None:
        group = self._tenant().groups[self.rng.choice(("web", "peers", "open"))]
        if rules := self.find("security-group-rules", f"security_group_id={group}&sort_key=id"):
            self.ask("DELETE", f"security-group-rules/{self.rng.choice(rules)['id']}")

    def _interface(self, verb: str) -> None:
        tenant = self._tenant()
        subnets = self.rng.choice(tenant.networks)["subnets"]
        body = {"subnet_id": self.rng.choice(subnets)["id"]}
        self.ask("PUT", f"routers/{tenant.routers[0]}/{verb}_router_interface", body)

    def join(self) -> None:
        self._interface("add")

    def part(self) -> None:
        self._interface("remove")

    def float(self) -> None:
        body = {"floating_network_id": self.soup.public, "port_id": self._port()}
        self.ask("POST", "floatingips", {"floatingip": body})

    def sink(self) -> None:
        if found := self.find("floatingips", "sort_key=id"):
            one = self.rng.choice(found)["id"]
            if self.rng.random() < 0.5:
                self.ask("DELETE", f"floatingips/{one}")
            else:
                self.ask("PUT", f"floatingips/{one}", {"floatingip": {"port_id": None}})

    def add_network(self) -> None:
        tenant = self._tenant()
        body = {"name": f"{tenant.name}-more", "project_id": tenant.id}
        network = self.soup.post("networks", "network", body)
        subnet = {"network_id": network["id"], "project_id": tenant.id, "ip_version": 4}
        made = self.soup.post("subnets", "subnet", subnet | {"cidr": self.rng.choice(RANGES)})
        tenant.networks.append(network | {"subnets": [made]})
        self.done["POST networks 201"] += 1

    def pair(self) -> None:
        pairs = [{"ip_address": f"10.0.0.{self.rng.randrange(200, 250)}"}] if self.rng.random() < 0.7 else []
        self.ask("PUT", f"ports/{self._port()}", {"port": {"allowed_address_pairs": pairs}})

    def gateway(self) -> None:
        info = self.rng.choice((
            {"network_id": self.soup.public}, {"network_id": self.soup.public, "enable_snat": False}, {},
        ))  # fmt: skip
        self.ask("PUT", f"routers/{self._tenant().routers[0]}", {"router": {"external_gateway_info": info}})

    def address_group(self) -> None:
        found = self.find("address-groups", "sort_key=id")
        verb = self.rng.choice(("add", "remove"))
        body = {"address_group": {"addresses": [f"10.0.0.{self.rng.choice((0, 8, 16))}/29"]}}
        self.ask("PUT", f"address-groups/{self.rng.choice(found)['id']}/{verb}_addresses", body)

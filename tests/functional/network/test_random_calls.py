"""Any sequence of API calls: what is applied bit by bit is what a computation from nothing gives, and OVN's database
takes all of it."""

from __future__ import annotations

import random
import subprocess
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.conftest import cloud, database_url, house  # noqa: F401 - fixtures
from tests.api.conftest import settings as api_settings  # noqa: F401
from tests.functional.network.invented import Inventor

from clearsky import config
from clearsky.network import topology
from clearsky.network.api import SERVICE
from clearsky.network.driver.ovn import TABLES, OvnDriver
from clearsky.network.ovn.rows import KEY
from clearsky.network.ovn.translate import translate

pytestmark = [pytest.mark.functional]
N = "/network/v2.0"
STEPS = 120
SEEN: Counter[str] = Counter()
"""Rows by table, of all walks."""
ANSWERS: Counter[tuple[str, int]] = Counter()
"""Requests that were made up, by route and by hundreds of their status."""
SCHEMA = Path("/usr/share/ovn/ovn-nb.ovsschema")


@pytest.fixture(name="settings")
def _settings(tmp_path):
    return config.Config(
        cloud=config.Cloud(state_dir=tmp_path / "state", run_dir=tmp_path / "run", simulate=True, host="host1"),
        api=config.Api(threads=2),
        identity=config.Identity(argon2_time_cost=1, argon2_memory_kib=64),
        quota=config.Quota(networks=-1, subnets=-1, ports=-1, routers=-1, floating_ips=-1, security_groups=-1, security_group_rules=-1),
    )  # fmt: skip


@pytest.fixture
def northbound(tmp_path):
    """Northbound databases of their own, without the rest of OVN: each call starts one and returns its driver."""
    servers = []

    def start():
        run = tmp_path / f"nb{len(servers)}"
        (run / "ovn").mkdir(parents=True)
        subprocess.run(["ovsdb-tool", "create", run / "db", SCHEMA], check=True)
        words = [
            "ovsdb-server",
            f"--remote=punix:{run}/ovn/nb.sock",
            f"--unixctl={run}/ctl",
            "--log-file=/dev/null",
            run / "db",
        ]
        servers.append(subprocess.Popen(words, stderr=subprocess.DEVNULL))
        end = time.monotonic() + 10
        while not (run / "ovn" / "nb.sock").exists():
            assert time.monotonic() < end
            time.sleep(0.02)
        return OvnDriver(config.Config(cloud=config.Cloud(run_dir=run)))

    yield start
    for server in servers:
        server.terminate()
        server.wait()


def dump(driver):
    """Return everything of ours in a database: by key, with references as the keys of what they point to."""
    tables = driver._connection.idl.tables
    keys = {row.uuid: row.external_ids.get(KEY) for name in TABLES for row in tables[name].rows.values()}

    def plain(value):
        if isinstance(value, list):
            return sorted(str(keys.get(getattr(item, "uuid", None), item)) for item in value)
        return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else str(value)

    found = {}
    for name in TABLES:
        for row in tables[name].rows.values():
            columns = [column for column in tables[name].columns if column not in ("up", "hv_cfg", "sb_cfg")]
            found[keys[row.uuid]] = (name, {column: plain(getattr(row, column)) for column in columns})
    return found


class Walk:
    """A random walk through the API; every call may be refused, none may stumble."""

    def __init__(self, cloud, seed):  # noqa: F811
        self.cloud, self.rng = cloud, random.Random(seed)
        self.have = {name: [] for name in ("networks", "subnets", "ports", "routers", "floatingips", "security-groups",
                                           "security-group-rules", "address-groups", "trunks", "qos/policies",
                                           "subnetpools", "address-scopes")}  # fmt: skip
        self.inventor = Inventor(SERVICE.routes, self.rng, self.known)
        self.answers = Counter()

    def begin(self):
        """Make a little of everything, so that the walk has something to change."""

        def make(path, name, body):
            answer = self.cloud.admin.post(f"{N}/{path}", json={name: body})
            assert answer.status_code == 201, answer.text
            self.have[path].append(answer.json()[name]["id"])
            return answer.json()[name]["id"]

        outside = make("networks", "network", {"router:external": True})
        base = self.rng.randrange(256)
        cidr = f"172.{self.rng.randrange(16, 31)}.{base}.0/24"
        make(
            "subnets", "subnet", {"network_id": outside, "ip_version": 4, "cidr": cidr, "enable_dhcp": False}
        )
        policy = make("qos/policies", "policy", {"name": "q"})
        self.cloud.admin.post(
            f"{N}/qos/policies/{policy}/dscp_marking_rules", json={"dscp_marking_rule": {"dscp_mark": 26}}
        )
        for number in range(2):
            net = make("networks", "network", {"name": f"n{number}"})
            subnet = make(
                "subnets", "subnet", {"network_id": net, "ip_version": 4, "cidr": f"10.{number}.0.0/24"}
            )
            router = make("routers", "router", {"external_gateway_info": {"network_id": outside}})
            path = f"{N}/routers/{router}/add_router_interface"
            assert self.cloud.admin.put(path, json={"subnet_id": subnet}).status_code == 200
            ports = [
                make("ports", "port", {"network_id": net, "dns_name": "web", "binding:host_id": "host1"})
                for _ in range(3)
            ]
            make("floatingips", "floatingip", {"floating_network_id": outside, "port_id": ports[0]})
            forwarding = make("floatingips", "floatingip", {"floating_network_id": outside})
            inside = self.cloud.admin.get(f"{N}/ports/{ports[1]}").json()["port"]["fixed_ips"][0][
                "ip_address"
            ]
            body = {
                "protocol": "tcp",
                "internal_port_id": ports[1],
                "internal_ip_address": inside,
                "internal_port": 22,
                "external_port": 22,
            }
            path = f"{N}/floatingips/{forwarding}/port_forwardings"
            assert self.cloud.admin.post(path, json={"port_forwarding": body}).status_code == 201
            trunk = {"port_id": ports[2], "sub_ports": []}
            make("trunks", "trunk", trunk)
        self.cloud.admin.put(f"{N}/ports/{ports[0]}", json={"port": {"qos_policy_id": policy}})
        self._six(make)

    def _six(self, make):
        """Make a router that answers outside for addresses of IPv6 inside."""
        scope = make("address-scopes", "address_scope", {"name": "s", "ip_version": 6})
        body = {
            "name": "p",
            "prefixes": [f"2001:db8:{self.rng.getrandbits(16):x}::/48"],
            "default_prefixlen": 64,
        }
        pool = make("subnetpools", "subnetpool", body | {"address_scope_id": scope})
        nets = [make("networks", "network", {"router:external": outside}) for outside in (True, False)]
        subnets = [
            make("subnets", "subnet", {"network_id": net, "ip_version": 6, "subnetpool_id": pool})
            for net in nets
        ]
        body = {"external_gateway_info": {"network_id": nets[0]}, "enable_ndp_proxy": True}
        router = make("routers", "router", body)
        path = f"{N}/routers/{router}/add_router_interface"
        assert self.cloud.admin.put(path, json={"subnet_id": subnets[1]}).status_code == 200

    def known(self, name):
        """Return the id of one of a collection, or of anything."""
        name = {"qos-policys": "qos/policies", "addresses": "address-groups"}.get(name, name)
        if name not in self.have and self.rng.random() < 0.5:
            name = self.rng.choice(list(self.have))
        return self.pick(name) if name in self.have else str(uuid.UUID(int=self.rng.getrandbits(128)))

    def pick(self, name):
        return self.rng.choice(self.have[name]) if self.have[name] else "00000000-0000-0000-0000-000000000000"

    def step(self):
        rng, some = self.rng, self.pick
        number = rng.randrange(1, 250)
        makers = {
            "networks": lambda: {"network": {"name": f"n{number}", "router:external": rng.random() < 0.2}},
            "subnets": lambda: {"subnet": rng.choice([
                {"network_id": some("networks"), "ip_version": 4, "cidr": f"10.{number}.0.0/24", "enable_dhcp": rng.random() < 0.8},
                {"network_id": some("networks"), "ip_version": 4, "subnetpool_id": some("subnetpools")},
                {"network_id": some("networks"), "ip_version": 6, "cidr": f"fd00:{number}::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"},
            ])},
            "ports": lambda: {"port": {"network_id": some("networks")} | rng.choice([
                {}, {"security_groups": []}, {"port_security_enabled": False, "security_groups": []}, {"dns_name": "web"},
                {"allowed_address_pairs": [{"ip_address": "10.1.1.1"}]}, {"binding:host_id": "host1"},
                {"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]}, {"qos_policy_id": some("qos/policies")},
            ])},
            "routers": lambda: {"router": rng.choice([{}, {"external_gateway_info": {"network_id": some("networks")}}])},
            "floatingips": lambda: {"floatingip": {"floating_network_id": some("networks")} | rng.choice([{}, {"port_id": some("ports")}])},
            "security-groups": lambda: {"security_group": {"name": f"g{number}", "stateful": rng.random() < 0.7}},
            "address-groups": lambda: {"address_group": {"name": "a", "addresses": [f"10.{number}.0.0/16"]}},
            "security-group-rules": lambda: {"security_group_rule": {"security_group_id": some("security-groups"), "direction": rng.choice(["ingress", "egress"])} | rng.choice([
                {"protocol": "tcp", "port_range_min": number, "port_range_max": number + 9}, {"remote_group_id": some("security-groups")},
                {"remote_address_group_id": some("address-groups")}, {"protocol": "icmp"}, {"ethertype": "IPv6"},
            ])},
            "trunks": lambda: {"trunk": {"port_id": some("ports"), "sub_ports": [{"port_id": some("ports"), "segmentation_type": "vlan", "segmentation_id": number}]}},
            "qos/policies": lambda: {"policy": {"name": "q"}},
            "address-scopes": lambda: {"address_scope": {"name": "s", "ip_version": 4}},
            "subnetpools": lambda: {"subnetpool": {"name": "p", "prefixes": [f"10.{number}.0.0/16"], "default_prefixlen": 26} | rng.choice([{}, {"address_scope_id": some("address-scopes")}])},
        }  # fmt: skip
        changes = [
            lambda: ("put", f"routers/{some('routers')}/add_router_interface", {"subnet_id": some("subnets")}),
            lambda: ("put", f"routers/{some('routers')}/remove_router_interface", {"subnet_id": some("subnets")}),
            lambda: ("put", f"routers/{some('routers')}", {"router": {"admin_state_up": rng.random() < 0.5}}),
            lambda: ("put", f"routers/{some('routers')}", {"router": {"external_gateway_info": rng.choice([{}, {"network_id": some("networks"), "enable_snat": rng.random() < 0.5}])}}),
            lambda: ("put", f"routers/{some('routers')}/add_external_gateways", {"router": {"external_gateways": [{"network_id": some("networks")}]}}),
            lambda: ("put", f"routers/{some('routers')}/remove_external_gateways", {"router": {"external_gateways": [{"network_id": some("networks")}]}}),
            lambda: ("put", f"routers/{some('routers')}", {"router": {"enable_default_route_ecmp": rng.random() < 0.5}}),
            lambda: ("put", f"ports/{some('ports')}", {"port": rng.choice([{"admin_state_up": False}, {"binding:host_id": "host1"}, {"security_groups": [some("security-groups")]}, {"qos_policy_id": some("qos/policies")}, {"fixed_ips": []}])}),
            lambda: ("put", f"floatingips/{some('floatingips')}", {"floatingip": {"port_id": rng.choice([None, some("ports")])}}),
            lambda: ("put", f"subnets/{some('subnets')}", {"subnet": rng.choice([{"dns_nameservers": ["9.9.9.9"]}, {"gateway_ip": None}, {"enable_dhcp": False}])}),
            lambda: ("post", f"floatingips/{some('floatingips')}/port_forwardings", {"port_forwarding": {"protocol": "tcp", "internal_port_id": some("ports"), "internal_port": 22, "external_port": number}}),
            lambda: ("put", f"networks/{some('networks')}", {"network": rng.choice([{"mtu": 1400}, {"dns_domain": "example.org."}, {"qos_policy_id": some("qos/policies")}, {"port_security_enabled": False}])}),
            lambda: ("put", f"routers/{some('routers')}/add_extraroutes", {"router": {"routes": [{"destination": f"10.{number}.9.0/24", "nexthop": f"10.{number}.0.9"}]}}),
            lambda: ("put", f"trunks/{some('trunks')}/add_subports", {"sub_ports": [{"port_id": some("ports"), "segmentation_type": "vlan", "segmentation_id": number}]}),
            lambda: ("put", f"address-groups/{some('address-groups')}/add_addresses", {"address_group": {"addresses": [f"10.{number}.1.0/24"]}}),
            lambda: ("put", f"security-groups/{some('security-groups')}", {"security_group": {"stateful": rng.random() < 0.5}}),
            lambda: ("post", f"qos/policies/{some('qos/policies')}/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 26}}),
            lambda: ("post", f"qos/policies/{some('qos/policies')}/bandwidth_limit_rules", {"bandwidth_limit_rule": {"max_kbps": number}}),
        ]  # fmt: skip
        client, dice = self.cloud.admin, rng.random()
        if dice < 0.3:
            route, path, body = self.inventor.request()
            answer = client.request(
                route.method, f"/network/{path}", **({} if body is None else {"json": body})
            )
            self.answers[f"{route.method} {route.path}", answer.status_code // 100] += 1
            self._remember(route, path, answer)
        elif dice < 0.65:
            path = rng.choice(list(makers))
            answer = client.post(f"{N}/{path}", json=makers[path]())
            if answer.status_code == 201:
                self.have[path].append(next(iter(answer.json().values()))["id"])
        elif dice < 0.9:
            method, path, body = rng.choice(changes)()
            answer = client.request(method.upper(), f"{N}/{path}", json=body)
        else:
            name = rng.choice([name for name, ids in self.have.items() if ids] or ["networks"])
            id = some(name)
            answer = client.delete(f"{N}/{name}/{id}")
            if answer.status_code == 204:
                self.have[name].remove(id)
        assert answer.status_code < 500, answer.text

    def _remember(self, route, path, answer):
        """Keep what a made-up request has made, and forget what it has deleted."""
        collection = path.removeprefix("v2.0/")
        if route.method == "POST" and answer.status_code == 201:
            made = next(iter(answer.json().values()))
            for one in made if isinstance(made, list) else [made]:
                if isinstance(one, dict) and "id" in one:
                    self.have.setdefault(collection, []).append(one["id"])
        if route.method == "DELETE" and answer.status_code == 204:
            name, _, id = collection.rpartition("/")
            if id in self.have.get(name, ()):
                self.have[name].remove(id)


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(seed=st.integers(0, 10**6))
def test_bit_by_bit_and_from_nothing_give_the_same_rows(cloud, northbound, seed):  # noqa: F811
    walk, driver = Walk(cloud, seed), northbound()
    walk.begin()
    for number in range(STEPS):
        walk.step()
        with cloud.house.db.read() as c:
            wanted = topology.load(c, ("host1",), cloud.house.config.network.dns_servers)
        rows = translate(wanted)
        SEEN.update(row.table for row in rows.values())
        for row in rows.values():
            assert row.parent is None or row.parent[0] in rows, row
            assert all(key in rows for keys in row.refs.values() for key in keys), row
            assert row.columns.get("direction") != "to-lport" or "inport" not in row.columns["match"]
        if number % 3 == 2:
            driver.apply(wanted)
            assert driver.apply(wanted) == [], "a second application finds a difference"
    driver.apply(wanted)
    fresh = northbound()
    fresh.apply(wanted)
    assert set(dump(driver)) == set(rows)
    assert dump(driver) == dump(fresh)
    assert driver.drifted() == []
    ANSWERS.update(walk.answers)


def test_the_walks_went_everywhere():
    """Every kind of row was made, and requests that were only made up were taken as well."""
    assert set(SEEN) >= set(TABLES), SEEN
    taken = {route for route, hundred in ANSWERS if hundred == 2}
    assert len(taken) > 10, ANSWERS

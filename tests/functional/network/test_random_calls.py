"""Any sequence of API calls: what is applied bit by bit is what a computation from nothing gives, and OVN's database
takes all of it."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.conftest import cloud, database_url, house  # noqa: F401 - fixtures
from tests.api.conftest import settings as api_settings  # noqa: F401

from clearsky import config
from clearsky.network import topology
from clearsky.network.driver.ovn import TABLES, OvnDriver
from clearsky.network.ovn.rows import KEY
from clearsky.network.ovn.translate import translate

pytestmark = [pytest.mark.functional]
N = "/network/v2.0"
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
                                           "security-group-rules", "address-groups", "trunks", "qos/policies")}  # fmt: skip

    def pick(self, name):
        return self.rng.choice(self.have[name]) if self.have[name] else "00000000-0000-0000-0000-000000000000"

    def step(self):
        rng, some = self.rng, self.pick
        number = rng.randrange(1, 250)
        makers = {
            "networks": lambda: {"network": {"name": f"n{number}", "router:external": rng.random() < 0.2}},
            "subnets": lambda: {"subnet": rng.choice([
                {"network_id": some("networks"), "ip_version": 4, "cidr": f"10.{number}.0.0/24", "enable_dhcp": rng.random() < 0.8},
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
            lambda: ("post", f"qos/policies/{some('qos/policies')}/bandwidth_limit_rules", {"bandwidth_limit_rule": {"max_kbps": number}}),
        ]  # fmt: skip
        client, dice = self.cloud.admin, rng.random()
        if dice < 0.55:
            path = rng.choice(list(makers))
            answer = client.post(f"{N}/{path}", json=makers[path]())
            if answer.status_code == 201:
                self.have[path].append(next(iter(answer.json().values()))["id"])
        elif dice < 0.85:
            method, path, body = rng.choice(changes)()
            answer = client.request(method.upper(), f"{N}/{path}", json=body)
        else:
            name = rng.choice([name for name, ids in self.have.items() if ids] or ["networks"])
            id = some(name)
            answer = client.delete(f"{N}/{name}/{id}")
            if answer.status_code == 204:
                self.have[name].remove(id)
        assert answer.status_code < 500, answer.text


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(seed=st.integers(0, 10**6))
def test_bit_by_bit_and_from_nothing_give_the_same_rows(cloud, northbound, seed):  # noqa: F811
    walk, driver = Walk(cloud, seed), northbound()
    for number in range(60):
        walk.step()
        with cloud.house.db.read() as c:
            wanted = topology.load(c, ("host1",), cloud.house.config.network.dns_servers)
        rows = translate(wanted)
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

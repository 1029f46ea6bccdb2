"""A router with gateways to two external networks, each a bridge of its own on the host: by real packets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.functional.network.conftest import run
from tests.functional.network.programs import CALL, SERVE, ask, python
from tests.functional.network.world import MAC, TOPOLOGY, _port

from clearsky.engines import prepare
from clearsky.network.model import FloatingIp, Network, Subnet

pytestmark = [pytest.mark.functional]
BEYOND = [f"203.0.113.{number}" for number in range(1, 25)]
"""Addresses of the host that both gateways lead to."""
OTHER = Network("other", "other", True, 1500, "flat", "physnet2", None, True)
SECOND = _port(
    "r-gw2", "other", "other-s", MAC.format(9), "172.24.9.10", owner="network:router_gateway", device="r"
)
TWO = {
    "networks": (*TOPOLOGY.networks, OTHER),
    "subnets": (
        *TOPOLOGY.subnets,
        Subnet("other-s", "other", 4, "172.24.9.0/24", "172.24.9.1", False, None, None, (), ()),
    ),
    "ports": (*TOPOLOGY.ports, SECOND),
    "floating_ips": (
        *TOPOLOGY.floating_ips,
        FloatingIp("far", "172.24.9.20", "10.2.0.11", "r", "green1", floating_network_id="other"),
    ),
}


@pytest.fixture
def second_bridge(engine_host):
    settings = engine_host.settings
    mappings = "external-ids:ovn-bridge-mappings=physnet1:csn-ex"
    prepare.vsctl(
        settings, "add-br", "csn-ex2", "--", "set", "bridge", "csn-ex2", "datapath_type=netdev",
        "--", "set", "open_vswitch", ".", f"{mappings},physnet2:csn-ex2",
    )  # fmt: skip
    run("ip", "link", "set", "csn-ex2", "up")
    run("ip", "address", "add", "172.24.9.1/24", "dev", "csn-ex2")
    run("ethtool", "-K", "csn-ex2", "tx", "off")
    for address in BEYOND:
        run("ip", "address", "add", f"{address}/32", "dev", "lo")
    yield
    for address in BEYOND:
        run("ip", "address", "delete", f"{address}/32", "dev", "lo")
    prepare.vsctl(settings, "del-br", "csn-ex2", "--", "set", "open_vswitch", ".", mappings)


@pytest.fixture
def host_answers():
    with python(None, SERVE, "7070") as program:
        assert program.stdout.readline() == "ready\n"
        yield
        program.kill()


def sources(guest):
    """Return as whom the guest is seen by the addresses beyond."""
    return {ask(guest, CALL, address, "7070") for address in BEYOND}


def test_each_gateway_leads_to_its_network_and_one_has_the_default_route(
    apply, second_bridge, guests, host_answers
):
    apply(**TWO)
    green = guests["green1"]
    assert ask(green, CALL, "172.24.4.1", "7070") == "172.24.4.10"
    assert ask(green, CALL, "172.24.9.1", "7070") == "172.24.9.20", "it has a floating IP there"
    assert ask(guests["red2"], CALL, "172.24.9.1", "7070") == "172.24.9.10"
    assert sources(guests["red2"]) == {"172.24.4.10"}
    with python(green, SERVE, "22") as program:
        assert program.stdout.readline() == "ready\n"
        assert ask(None, CALL, "172.24.9.20", "22") == "172.24.9.1"
        program.kill()


def test_default_routes_of_both_gateways_share_what_leaves(apply, second_bridge, guests, host_answers):
    (router,) = TOPOLOGY.routers
    apply(**TWO, routers=(replace(router, ecmp=True),))
    assert sources(guests["red2"]) == {"172.24.4.10", "172.24.9.10"}
    apply(**TWO)
    assert sources(guests["red2"]) == {"172.24.4.10"}


def test_two_gateways_may_be_in_one_network(apply, guests, host_answers):
    twin = replace(
        SECOND, network_id="public", fixed_ips=(replace(SECOND.fixed_ips[0], subnet_id="public-s", ip_address="172.24.4.11"),)
    )  # fmt: skip
    apply(ports=(*TOPOLOGY.ports, twin))
    assert ask(guests["red2"], CALL, "172.24.4.1", "7070") == "172.24.4.10"
    assert guests["red2"].reaches("172.24.4.11"), "the second gateway's address is not there"

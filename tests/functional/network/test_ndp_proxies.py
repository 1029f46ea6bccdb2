"""IPv6 addresses inside that a router's gateway answers for outside: by real packets."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace

import pytest
from tests.functional.network.conftest import run
from tests.functional.network.world import TOPOLOGY, _rule

from clearsky.network.model import FixedIp, NdpProxy, Subnet

pytestmark = [pytest.mark.functional]
INSIDE = "2001:db8:2::11"


def _six(id, network, cidr, gateway):
    return Subnet(id, network, 6, cidr, gateway, True, None, None, (), (), address_scope_id="scope")


def _also(port, subnet, address):
    return replace(port, fixed_ips=(*port.fixed_ips, FixedIp(subnet, address)))


OWN = {
    "green1": ("green-s6", INSIDE),
    "r-green": ("green-s6", "2001:db8:2::1"),
    "r-gw": ("public-s6", "2001:db8:4::10"),
}
SIX = {
    "subnets": (
        *TOPOLOGY.subnets,
        _six("green-s6", "green", "2001:db8:2::/64", "2001:db8:2::1"),
        _six("public-s6", "public", "2001:db8:4::/64", "2001:db8:4::1"),
    ),
    "ports": tuple(_also(port, *OWN[port.id]) if port.id in OWN else port for port in TOPOLOGY.ports),
    "rules": (
        *TOPOLOGY.rules,
        _rule("six-in", "sg-open", "ingress", ethertype="IPv6"),
        _rule("six-out", "sg-open", "egress", ethertype="IPv6"),
    ),
}
PROXY = (NdpProxy("proxy", "r", INSIDE),)


@pytest.fixture
def outside(engine_host, guests):
    """Give the host an address outside, and the guest's range as if it were on that link too."""
    device = engine_host.settings.network.external_bridge
    run("ip", "address", "add", "2001:db8:4::1/64", "dev", device, "nodad")
    run("ip", "route", "add", "2001:db8:2::/64", "dev", device)
    green = guests["green1"]
    green.run("ip", "address", "add", f"{INSIDE}/64", "dev", "eth0", "nodad")
    green.run("ip", "route", "replace", "default", "via", "2001:db8:2::1")
    yield device
    run("ip", "route", "delete", "2001:db8:2::/64")
    green.run("ip", "address", "delete", f"{INSIDE}/64", "dev", "eth0")
    run("ip", "address", "delete", "2001:db8:4::1/64", "dev", device)


def reaches(address):
    command = ["ping", "-6", "-c", "2", "-i", "0.2", "-W", "1", address]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def soon(condition):
    end = time.monotonic() + 15
    while not condition():
        if time.monotonic() > end:
            return False
    return True


def test_an_address_with_a_proxy_is_reached_as_if_it_were_outside(apply, outside, guests):
    (router,) = TOPOLOGY.routers
    on = (replace(router, ndp_proxy=True),)
    apply(**SIX, routers=on)
    assert not reaches(INSIDE), "nobody answers for it yet"
    apply(**SIX, routers=on, ndp_proxies=PROXY)
    assert soon(lambda: reaches(INSIDE))
    assert guests["green1"].reaches("2001:db8:4::1")
    apply(**SIX, routers=on)
    run("ip", "-6", "neigh", "flush", "dev", outside)
    assert soon(lambda: not reaches(INSIDE))


def test_a_way_around_the_proxy_is_shut(apply, outside):
    """Outside has a route by the gateway: with proxies in use, only their addresses are let in by it."""
    (router,) = TOPOLOGY.routers
    on = (replace(router, ndp_proxy=True),)
    run("ip", "route", "replace", "2001:db8:2::/64", "via", "2001:db8:4::10")
    apply(**SIX)
    assert soon(lambda: reaches(INSIDE)), "without proxies IPv6 is routed"
    apply(**SIX, routers=on)
    assert soon(lambda: not reaches(INSIDE))
    apply(**SIX, routers=on, ndp_proxies=PROXY)
    assert soon(lambda: reaches(INSIDE))

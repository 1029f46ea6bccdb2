"""Several hosts: they join, carry one network, and are taken out again."""

from __future__ import annotations

import pytest
from tests.system.conftest import until
from tests.system.site import Site

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def site(cache):
    made = Site(cache)
    try:
        made.begin()
        made.add().clearsky("up")
        made.join()
        yield made
    finally:
        made.end()


def states(site):
    import json

    return {one["name"]: one["state"] for one in json.loads(site.control.clearsky("host", "list", "--json"))}


def test_a_second_host_reports(site):
    assert states(site) == {"host0": "up", "host1": "up"}


def test_ports_of_one_network_on_two_hosts_reach_each_other(site):
    site.control.openstack("network", "create", "wide", cloud="site-admin")
    site.control.openstack(
        "subnet", "create", "--network", "wide", "--subnet-range", "10.9.0.0/24", "wide", cloud="site-admin"
    )
    guests = [site.plug(machine, "wide", "--disable-port-security") for machine in site.machines]
    until("the ping", lambda: guests[0].reaches(guests[1].address), 30)

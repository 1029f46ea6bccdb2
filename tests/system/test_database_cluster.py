"""OVN's databases as a cluster on three hosts: one of them, the leader too, may be gone. The tunnels are Geneve here."""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack

import pytest
from tests.system.conftest import until
from tests.system.site import Site, dead, fits

from clearsky.engines import databases

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
ADDRESSES = ("10.77.0.1", "10.77.0.2", "10.77.0.3")
MTU = 1442
"""Of a network in Geneve on an underlay of 1500."""


@pytest.fixture(scope="module")
def site(cache):
    made = Site(cache, encapsulation="geneve", databases=ADDRESSES)
    try:
        made.begin()
        made.add().clearsky("up")
        made.join()
        made.join()
        made.openstack("network", "create", "wide")
        made.openstack("subnet", "create", "--network", "wide", "--subnet-range", "10.9.0.0/24", "wide")
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def guests(site):
    made = [site.plug(machine, "wide", "--disable-port-security") for machine in site.machines]
    for guest in made:
        guest.run("ip", "link", "set", "eth0", "mtu", str(MTU))
    until("the first ping", lambda: made[0].reaches(made[1].address), 60)
    return made


def members(machine, short):
    return databases.members(machine.runtime / "ovn" / f"{short}.ctl", databases.NAMES[short])


def leader(site, short):
    """Return the machine that leads a database's cluster; None while there is none."""
    for machine in site.machines:
        control = machine.runtime / "ovn" / f"{short}.ctl"
        words = ["ovs-appctl", "-t", str(control), "--timeout=5", "cluster/status", databases.NAMES[short]]
        said = subprocess.run(words, check=False, capture_output=True, text=True).stdout
        if "Role: leader" in said:
            return machine
    return None


def test_three_hosts_keep_both_databases(site):
    for short in databases.NAMES:
        for machine in site.machines:
            until("the cluster", lambda m=machine, s=short: set(members(m, s)) == set(ADDRESSES), 60)


def test_guests_reach_each_other_by_geneve(guests):
    for one in guests:
        for other in guests:
            assert one is other or one.reaches(other.address)
    assert fits(guests[1].pid, guests[2].address, MTU)
    for guest in guests[1:]:
        guest.run("ip", "link", "set", "eth0", "mtu", "1500")
    assert not fits(guests[1].pid, guests[2].address, MTU + 1)


@pytest.mark.parametrize("short", ["nb", "sb"])
def test_changes_reach_the_hosts_while_a_leader_is_dead(site, guests, short):
    lost = until("a leader", lambda: leader(site, short), 60)
    with dead(lost, f"ovn-{short}"):
        assert guests[0].reaches(guests[1].address), "what flows needs no database"
        now = until("another leader", lambda: leader(site, short), 60)
        assert now != lost
        # On two hosts: changes of the northbound database come, by northd, to every chassis.
        late = [site.plug(machine, "wide", "--disable-port-security") for machine in site.machines[:2]]
        until("a new port's first ping", lambda: late[0].reaches(late[1].address), 90)
        told = json.loads(site.control.clearsky("path", late[0].port["id"], late[1].port["id"], "--json"))[
            "path"
        ]
        assert told["arrives"], told
    until("the old leader back", lambda: set(members(lost, short)) == set(ADDRESSES), 60)


def test_a_change_waits_where_no_majority_is_left_and_is_made_when_there_is_one(site, guests):
    others = site.machines[1:]
    with ExitStack() as stack:
        for machine in others:
            stack.enter_context(dead(machine, "ovn-nb"))
        late = site.plug(site.control, "wide", "--disable-port-security")
        assert guests[0].reaches(guests[1].address)
    until("the new port", lambda: late.reaches(guests[1].address), 120)


def test_a_removed_host_is_refused_by_every_database(site, guests):
    gone = site.machines[2]
    tls = gone.state / "tls"

    def heard(address):
        asking = (
            "ovn-sbctl", f"--db=ssl:{address}:6642", "--timeout=5", "--no-leader-only",
            "-p", tls / "host.key", "-c", tls / "host.pem", "-C", gone.state / "hosts" / "databases.pem", "list", "chassis",
        )  # fmt: skip
        return gone.run(*asking, check=False).returncode == 0

    for address in ADDRESSES[:2]:
        until("an answer before", lambda address=address: heard(address), 30)
    site.control.clearsky("host", "remove", "host2")
    for address in ADDRESSES[:2]:
        until("refusal", lambda address=address: not heard(address), 30)
    for short in databases.NAMES:
        until("two members", lambda s=short: set(members(site.control, s)) == set(ADDRESSES[:2]), 60)
    chassis = ("--bare", "--no-leader-only", "--columns=name", "list", "chassis")
    until("the end of its chassis", lambda: "host2" not in site.southbound(*chassis).split(), 30)
    until("the end of its tunnels", lambda: not guests[0].reaches(guests[2].address), 30)
    assert guests[0].reaches(guests[1].address)

"""Several hosts: they join, carry the same networks, fail, come back, and are taken out again."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.system import inside
from tests.system.conftest import until
from tests.system.site import OUTSIDE, Site, dead, fits
from tests.system.site import inside as entering

from clearsky.network.ovn.translate import routers

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
PROGRAM = str(Path(inside.__file__))
BYTES = 3_000_000
MTU = 1450
"""Of a network in VXLAN on an underlay of 1500."""


@pytest.fixture(scope="module")
def site(cache):
    made = Site(cache)
    try:
        made.begin()
        made.add().clearsky("up")
        made.join()
        made.join()
        openstack = made.openstack
        openstack("security", "group", "create", "open")
        for family in ("IPv4", "IPv6"):
            openstack(
                "security", "group", "rule", "create", "--protocol", "any", "--ethertype", family, "open"
            )
        for name, network in (("left", "10.9.1.0/24"), ("right", "10.9.2.0/24")):
            openstack("network", "create", name)
            openstack("subnet", "create", "--network", name, "--subnet-range", network, name)
        make_router(made, "middle")
        for name in ("left", "right"):
            openstack("router", "add", "subnet", "middle", name)
        yield made
    finally:
        made.end()


@pytest.fixture(scope="module")
def guests(site):
    """Return guests by network and host."""
    made = {}
    for network in ("left", "right"):
        for machine in site.machines:
            guest = site.plug(machine, network, "--security-group", "open")
            guest.run("ip", "link", "set", "eth0", "mtu", str(MTU))
            guest.run("ip", "route", "add", "default", "via", "10.9.1.1" if network == "left" else "10.9.2.1")
            made[network, machine.number] = guest
    return made


@pytest.fixture(scope="module")
def gateway(site):
    """Give the router a way out; return the machine that is its gateway."""
    until("three gateways", lambda: len(gateways(site)) == 3, 60, 1)
    site.openstack("router", "set", "--external-gateway", "public", "middle")
    until("a gateway", lambda: active(site) not in (None, site.control), 60)
    return active(site)


def make_router(site, name):
    """Make a router whose first gateway is not the control plane's machine: that one is killed later."""
    hosts = tuple(f"host{machine.number}" for machine in site.machines)
    while True:
        made = SimpleNamespace(id=site.openstack("router", "create", name)["id"])
        if routers._by_turns(made, hosts)[0] != "host0":
            return
        site.openstack("router", "delete", name)


def gateways(site):
    with sqlite3.connect(site.control.state / "clearsky.db") as database:
        return database.execute("SELECT value FROM network_observed WHERE name LIKE 'gateway:%'").fetchall()


def active(site):
    """Return the machine that is the router's gateway now; None while none is."""
    rows = site.southbound(
        "--bare", "--columns=chassis", "find", "port_binding", "type=chassisredirect"
    ).split()
    if not rows:
        return None
    name = site.southbound("--bare", "--columns=name", "list", "chassis", rows[0]).strip()
    return next(machine for machine in site.machines if f"host{machine.number}" == name)


def states(site):
    return {one["name"]: one["state"] for one in json.loads(site.control.clearsky("host", "list", "--json"))}


def carries(sender, taker, address, port=7000):
    """Send a few megabytes, which the kernel does in segments as large as the path's MTU, with don't-fragment."""
    words = [*entering(taker), sys.executable, PROGRAM, "take", str(port), str(BYTES)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout.readline() == "ready\n"
            done = subprocess.run(
                [*entering(sender), sys.executable, PROGRAM, "give", address, str(port), str(BYTES)],
                check=False, capture_output=True, text=True, timeout=120,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            return program.stdout.readline() == done.stdout
        finally:
            program.kill()


def test_every_host_reports_to_compute_and_network(site):
    assert states(site) == {"host0": "up", "host1": "up", "host2": "up"}
    for machine in site.machines:
        assert json.loads(machine.clearsky("status", "--json"))["wrong"] == []
    services = site.openstack("compute", "service", "list", "--service", "nova-compute")
    assert {one["Host"]: one["State"] for one in services} == {f"host{n}": "up" for n in range(3)}
    hypervisors = site.openstack("hypervisor", "list")
    assert {one["Hypervisor Hostname"]: one["Host IP"] for one in hypervisors} == {
        f"host{n}": site.machines[n].address for n in range(3)
    }

    def agents():
        found = {one["Host"]: one["Alive"] for one in site.openstack("network", "agent", "list")}
        return found if len(found) == 3 else None

    assert all(until("three agents", agents, 90, 2).values())


def test_one_network_reaches_over_all_hosts(guests):
    until("the first ping", lambda: guests["left", 0].reaches(guests["left", 1].address), 30)
    for a in range(3):
        for b in range(3):
            assert a == b or guests["left", a].reaches(guests["left", b].address), (a, b)


def test_a_router_joins_networks_on_different_hosts(guests):
    until("the first ping", lambda: guests["left", 0].reaches(guests["right", 1].address), 30)
    for a in range(3):
        for b in range(3):
            assert guests["left", a].reaches(guests["right", b].address), (a, b)


def test_a_path_says_between_which_hosts_a_packet_is_carried(site, guests):
    source, target = guests["left", 0], guests["right", 2]
    told = path(site, source, target.address)
    assert carried(told) == [("there", "host2"), ("back", "host0")]


def path(site, source, address):
    told = json.loads(site.control.clearsky("path", source.port["id"], address, "--json"))["path"]
    assert (told["arrives"], told["answered"]) == (True, True), told
    return told


def carried(told):
    return [(hop["direction"], hop["id"]) for hop in told["hops"] if hop["kind"] == "host"]


def test_equal_addresses_in_another_network_are_another_world_on_every_host(site, guests):
    site.openstack("network", "create", "twin")
    site.openstack("subnet", "create", "--network", "twin", "--subnet-range", "10.9.1.0/24", "twin")
    twins = []
    for number in (1, 2):
        model = guests["left", number].port
        twins.append(
            site.plug(
                site.machines[3 - number], "twin", "--security-group", "open",
                "--mac-address", model["mac_address"], "--fixed-ip", f"ip-address={model['fixed_ips'][0]['ip_address']}",
            )
        )  # fmt: skip
    until("the twins' ping", lambda: twins[0].reaches(twins[1].address), 30)
    assert not twins[0].reaches(guests["left", 0].address)
    # Each answer comes from the own world: the other guest of that address hears nothing.
    before = heard(guests["left", 2])
    assert twins[0].reaches(twins[1].address)
    assert heard(guests["left", 2]) == before


def heard(guest):
    """Return how many pings a guest has answered."""
    text = guest.run("cat", "/proc/net/snmp").stdout
    names, values = (line.split() for line in text.splitlines() if line.startswith("Icmp:"))
    return int(values[names.index("InEchos")])


def test_what_dhcp_announces_fits_between_hosts_and_one_byte_more_does_not(guests):
    one, other = guests["left", 1], guests["left", 2]
    announced = int(one.run(sys.executable, PROGRAM, "lease").stdout)
    assert announced == MTU
    for target in (other, guests["right", 2]):
        assert fits(one.pid, target.address, announced)
        assert not fits(one.pid, target.address, announced + 1)
        assert carries(one.pid, target.pid, target.address)
    # Nor does it where a guest does not listen to what is announced.
    for guest in (one, other):
        guest.run("ip", "link", "set", "eth0", "mtu", "1500")
    try:
        assert fits(one.pid, other.address, announced)
        assert not fits(one.pid, other.address, announced + 1)
    finally:
        for guest in (one, other):
            guest.run("ip", "link", "set", "eth0", "mtu", str(MTU))


def test_what_a_router_advertises_fits_between_hosts(site):
    site.openstack("network", "create", "six")
    site.openstack(
        "subnet", "create", "--network", "six", "--subnet-range", "fd00:6::/64", "--ip-version", "6",
        "--ipv6-ra-mode", "slaac", "--ipv6-address-mode", "slaac", "six",
    )  # fmt: skip
    site.openstack("router", "create", "six")
    site.openstack("router", "add", "subnet", "six", "six")
    one, other = (site.plug(site.machines[number], "six", "--security-group", "open") for number in (1, 2))

    def advertised(guest):
        return guest.run("cat", "/proc/sys/net/ipv6/conf/eth0/mtu").stdout.strip() == str(MTU)

    for guest in (one, other):
        until("the advertised MTU", lambda guest=guest: advertised(guest), 60)
    until("the first ping", lambda: one.reaches(other.address), 30)
    assert carries(one.pid, other.pid, other.address)
    assert one.reaches(other.address, "-M", "do", "-s", str(MTU - 48))
    assert not one.reaches(other.address, "-M", "do", "-s", str(MTU - 47))


def test_a_floating_ip_takes_what_fits_and_says_so_of_more(site, guests, gateway):
    # A server on a host that is not the gateway: its packets cross a tunnel and the provider's network.
    number = next(n for n in (1, 2) if site.machines[n] != gateway)
    guest = guests["left", number]
    made = site.openstack("floating", "ip", "create", "--port", guest.port["id"], "public")
    address = made["floating_ip_address"]
    until("the floating IP", lambda: fits(site.outside, address, 100), 30)
    assert fits(site.outside, address, MTU)
    assert carries(site.outside, guest.pid, address)
    assert carries(guest.pid, site.outside, OUTSIDE)
    subprocess.run([*entering(site.outside), "ip", "route", "flush", "cache"], check=True)
    assert not fits(site.outside, address, MTU + 1)
    told = subprocess.run(
        [*entering(site.outside), "ip", "route", "get", address], check=True, capture_output=True, text=True
    ).stdout
    assert f"mtu {MTU}" in told, "the gateway must say what fits, else large transfers hang"


def test_a_server_runs_on_a_joined_host_and_becomes_an_image(site, guests, gateway):
    number = next(n for n in (1, 2) if site.machines[n] != gateway)
    key = site.control.folder / "key.pem"
    site.openstack("keypair", "create", "--private-key", str(key), "key")
    key.chmod(0o600)
    server = site.openstack(
        "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "left", "--key-name", "key",
        "--security-group", "open", "--availability-zone", f"nova:host{number}", "--wait", "far",
    )  # fmt: skip
    assert server["OS-EXT-SRV-ATTR:host"] == f"host{number}"
    assert site.machines[number].guests()
    address = site.openstack("floating", "ip", "create", "public")["floating_ip_address"]
    site.openstack("server", "add", "floating", "ip", "far", address)
    outside = replace(site.control, namespace_pid=site.outside)
    # The key came by the metadata service of that host, the image from the control plane.
    outside.wait_for_ssh(address, key, 120)
    assert outside.ssh(address, key, "hostname").strip() == "far"
    assert guests["left", 0].reaches(next(iter(server["addresses"].values()))[0])
    site.openstack("server", "image", "create", "--wait", "--name", "copy", "far")
    copy = site.openstack("image", "show", "copy")
    assert copy["status"] == "active"
    assert copy["size"] > 10_000_000
    said = site.control.run(
        Path(sys.executable).with_name("openstack"),
        "console",
        "log",
        "show",
        "far",
        check=False,
        OS_CLOUD="site-admin",
    )
    assert f"is on host host{number}" in said.stderr
    site.openstack("server", "delete", "--wait", "far")
    until("no guest", lambda: not site.machines[number].guests(), 30)


def test_a_path_outside_goes_by_the_gateways_host(site, guests, gateway):
    told = path(site, guests["left", 0], OUTSIDE)
    assert carried(told) == [("there", f"host{gateway.number}"), ("back", "host0")]


def test_another_host_is_the_gateway_when_one_dies(site, guests, gateway):
    guest = guests["left", 0]
    until("the way out", lambda: guest.reaches(OUTSIDE), 30)
    with dead(gateway, "ovs-vswitchd", "ovn-controller"):
        begin = time.monotonic()
        until("the way out by another host", lambda: guest.reaches(OUTSIDE), 60, 0.05)
        logging.getLogger("hosts").info("gateway failover: %.1f s", time.monotonic() - begin)
        assert until("another gateway", lambda: (now := active(site)) != gateway and now, 30)
    until("the host again", lambda: guests["left", gateway.number].reaches(guest.address), 60)
    until("the way out", lambda: guest.reaches(OUTSIDE), 60)


def test_a_host_that_is_cut_off_goes_on_and_comes_back_by_itself(site, guests):
    lost, far = site.machines[2], guests["left", 0]
    near = (guests["left", 2], guests["right", 2])
    site.cable(lost, up=False)
    try:
        until("the cut", lambda: not far.reaches(near[0].address), 30)
        assert near[0].reaches(near[1].address)
        late = site.plug(
            lost, "left", "--security-group", "open"
        )  # the control plane knows it, the host cannot
        time.sleep(12)  # longer than the databases' patience with a silent connection
        assert near[0].reaches(near[1].address), "flows must outlive the connection to OVN"
    finally:
        site.cable(lost, up=True)
    until("the way back", lambda: far.reaches(near[0].address), 60)
    until("the port made meanwhile", lambda: far.reaches(late.address), 60)
    until("its report", lambda: states(site)["host2"] == "up", 60, 1)


def test_a_host_that_is_removed_gets_nothing_any_more(site, guests):
    gone, stays = site.machines[2], guests["left", 0]
    assert stays.reaches(guests["left", 2].address)
    site.control.clearsky("host", "remove", "host2")
    until("the end of its tunnels", lambda: not stays.reaches(guests["left", 2].address), 30)
    assert stays.reaches(guests["left", 1].address)
    tls = gone.state / "tls"
    asking = (
        "ovn-sbctl", f"--db=ssl:{site.control.address}:6642", "--timeout=5",
        "-p", tls / "host.key", "-c", tls / "host.pem", "-C", tls / "control.pem", "list", "chassis",
    )  # fmt: skip
    assert gone.run(*asking, check=False).returncode != 0
    keep = ("--cert", tls / "host.pem", "--key", tls / "host.key", "--cacert", tls / "control.pem")
    url = f"https://{site.control.address}:8801/agent/v1/desired?host=host2"
    said = gone.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *keep, url, check=False).stdout
    assert said in {"403", "000"}  # refused by the api, or not even spoken to
    assert "host2" not in site.southbound("--bare", "--columns=name", "list", "chassis").split()
    assert "host2" not in states(site)
    # Whatever it tries, for longer than its agent and its controller wait between two tries.
    time.sleep(10)
    assert "host2" not in site.southbound("--bare", "--columns=name", "list", "chassis").split()
    assert not stays.reaches(guests["left", 2].address)


def test_a_removed_host_can_be_invited_again(site, guests):
    again = site.machines[2]
    token = site.control.clearsky("host", "add", "host2", "--token-only").strip()
    again.clearsky("down", "--purge")
    again.clearsky("host", "join", site.control.address, "--token", token)
    assert states(site)["host2"] == "up"
    until(
        "its chassis", lambda: "host2" in site.southbound("--bare", "--columns=name", "list", "chassis"), 30
    )

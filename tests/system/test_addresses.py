"""What guests get from their network: addresses of both kinds, routes, and names that resolve."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


def test_guests_of_a_dual_stack_network_reach_each_other_by_address_and_by_name(cloud, key):
    run = cloud.openstack
    run("network", "create", "dual")
    run("subnet", "create", "--network", "dual", "--subnet-range", "192.168.60.0/24", "dual-4")
    modes = ("--ipv6-ra-mode", "slaac", "--ipv6-address-mode", "slaac")
    run(
        "subnet",
        "create",
        "--network",
        "dual",
        "--ip-version",
        "6",
        "--subnet-range",
        "fd00:60::/64",
        *modes,
        "dual-6",
    )
    run("router", "create", "dual")
    run("router", "set", "dual", "--external-gateway", "public")
    for subnet in ("dual-4", "dual-6"):
        run("router", "add", "subnet", "dual", subnet)
    groups = ("--security-group", "ssh-and-ping", "--security-group", "default")
    addresses = {}
    for name in ("left", "right"):
        made = run(
            "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "dual", "--key-name", "trial",
            *groups, "--wait", name,
        )  # fmt: skip
        addresses[name] = {("6" if ":" in ip else "4"): ip for ip in made["addresses"]["dual"]}
    outside = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "left", outside)
    cloud.wait_for_ssh(outside, key)

    own = cloud.ssh(outside, key, "ip -br address show eth0")
    assert addresses["left"]["4"] in own
    assert addresses["left"]["6"] in own, "the guest has not taken the address that its port has"
    assert "default via fe80:" in cloud.ssh(outside, key, "ip -6 route")
    # The subnet names no DNS server: the cloud's is told.
    assert "nameserver 9.9.9.9" in cloud.ssh(outside, key, "cat /etc/resolv.conf")
    for target in (addresses["right"]["4"], addresses["right"]["6"]):
        words = f"for n in 1 2 3 4 5 6 7 8 9; do ping -c 1 -W 2 {target} >/dev/null 2>&1 && echo it answers && break; done"
        assert "answers" in cloud.ssh(outside, key, words, check=False), target
    assert addresses["right"]["4"] in cloud.ssh(outside, key, "nslookup right", check=False)

    for name in ("left", "right"):
        run("server", "delete", "--wait", name)
    run("floating", "ip", "delete", outside)
    for subnet in ("dual-4", "dual-6"):
        run("router", "remove", "subnet", "dual", subnet)
    run("router", "delete", "dual")
    run("network", "delete", "dual")

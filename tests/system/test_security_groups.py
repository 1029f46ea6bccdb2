"""Security groups as a guest and the outside meet them: the default group as OpenStack defines it."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]


@pytest.fixture
def servers(cloud, key):
    """`inner` is in the default group only, `both` in it and in one that lets ssh in, `outer` not in it."""
    run = cloud.openstack
    groups = {"inner": ["default"], "both": ["default", "ssh-and-ping"], "outer": ["ssh-and-ping"]}
    addresses = {}
    for name, wanted in groups.items():
        flags = [word for group in wanted for word in ("--security-group", group)]
        server = run(
            "server", "create", "--image", "tiny", "--flavor", "m1.nano", "--network", "demo", "--key-name", "trial",
            *flags, "--wait", name,
        )  # fmt: skip
        outside = run("floating", "ip", "create", "public")["floating_ip_address"]
        run("server", "add", "floating", "ip", name, outside)
        addresses[name] = (server["addresses"]["demo"][0], outside)
    for name in ("both", "outer"):
        cloud.wait_for_ssh(addresses[name][1], key)
    yield addresses
    for name in groups:
        run("server", "delete", "--wait", name)
        run("floating", "ip", "delete", addresses[name][1])


def test_the_default_group_lets_its_members_in_and_everything_out(cloud, key, servers):
    def opens(source: str, address: str) -> bool:
        return "SSH" in cloud.ssh(
            servers[source][1], key, f"nc -w 3 {address} 22 </dev/null | head -c 3", check=False
        )

    def pings(source: str, address: str) -> bool:
        words = f"ping -c 1 -W 2 {address} >/dev/null 2>&1 && echo it answers"
        return "answers" in cloud.ssh(servers[source][1], key, words, check=False)

    inner, inner_outside = servers["inner"]
    # A member of the group, and so a proof that the guest is there and answers.
    for _ in range(20):
        if opens("both", inner):
            break
    assert opens("both", inner)
    assert pings("both", inner)
    assert not opens("outer", inner)
    assert not pings("outer", inner)
    outside = cloud.run("ping", "-c", "1", "-W", "2", inner_outside, check=False)
    assert outside.returncode != 0, "the outside is let in"
    # Out of the default group everything may go; the answers come back.
    hop = f"ProxyCommand=ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i {key} -W %h:%p clear@{servers['both'][1]}"
    flags = (
        "-q",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "UserKnownHostsFile=/dev/null",
        "-o",
        hop,
        "-i",
        key,
    )
    gone_out = cloud.run(
        "ssh", *flags, f"clear@{inner}", "ping -c 1 -W 2 172.24.4.1 >/dev/null && echo it answers"
    )
    assert "answers" in gone_out.stdout

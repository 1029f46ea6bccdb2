"""README's first command and the clients on a Debian 12 machine that has nothing yet, with systemd and without.

./clearsky test tests/machine --machine -n 0
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.machine.machine import Machine, machine

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]
ENGINES = (
    "ovn-nb",
    "ovn-sb",
    "ovn-northd",
    "ovs-db",
    "ovs-vswitchd",
    "ovn-controller",
    "virtlogd",
    "libvirtd",
)
OWN = ("api", "worker", "agent")
SSH = "ssh -q -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ConnectTimeout=3 -i /root/first.pem"

SERVER = "--image tiny --flavor m1.tiny --network own --key-name first --security-group ssh-and-ping"


class Newcomer:
    """Somebody who sits at the machine and types what README says."""

    def __init__(self, at: Machine, checkout: str) -> None:
        self.at, self.checkout = at, checkout

    def clearsky(self, *words: str, check: bool = True) -> str:
        return self.at.run(f"{self.checkout}/clearsky", *words, check=check, timeout=1200).stdout

    def openstack(self, words: str) -> str:
        told = self.at.sh(f"{self.checkout}/.venv/bin/openstack {words}", OS_CLOUD="clearsky", timeout=180)
        return told.strip()

    def in_guest(self, address: str, command: str, seconds: float = 60) -> str:
        """Run a command in the guest as soon as it can be reached."""
        end = time.monotonic() + seconds
        while True:
            done = self.at.run("bash", "-c", f"{SSH} clear@{address} {command!r}", check=False, timeout=60)
            if done.returncode == 0:
                return done.stdout
            assert time.monotonic() < end, f"{command} in {address}: {done.stderr}"
            time.sleep(0.5)

    def make_a_server(self) -> str:
        """Make a server with all that it needs; return the address by which it is reached."""
        for words in (
            "network create own",
            "subnet create --network own --subnet-range 192.168.7.0/24 own",
            "router create own",
            "router set own --external-gateway public",
            "router add subnet own own",
            "keypair create --private-key /root/first.pem first",
            f"server create {SERVER} --wait first",
        ):
            self.openstack(words)
        self.at.sh("chmod 600 /root/first.pem")
        address = self.openstack("floating ip create public -f value -c floating_ip_address")
        self.openstack(f"server add floating ip first {address}")
        return address

    def delete_everything(self, address: str) -> None:
        for words in (
            "server delete --wait first",
            f"floating ip delete {address}",
            "router remove subnet own own",
            "router delete own",
            "network delete own",
            "keypair delete first",
        ):
            self.openstack(words)
        assert self.openstack("server list -f json") == "[]"


def assert_nothing_is_left(at: Machine, checkout: str) -> None:
    assert at.sh("cat /proc/[0-9]*/comm | grep -E 'ovs|ovn|libvirt|qemu|virtlog' || true") == ""
    assert at.sh(r"cat /proc/[0-9]*/cmdline | tr '\0' ' ' | grep -E ' -m clearsky[.]' || true") == ""
    assert [one["ifname"] for one in json.loads(at.sh("ip -j link"))] == ["lo", "eth0"]
    assert at.sh("ip -br netns; nft list tables; grep clearsky /proc/mounts || true") == ""
    assert at.sh("cat /proc/sys/net/ipv4/ip_forward") == "0\n"
    at.sh("rm -rf /etc/clearsky")
    found = at.sh(
        f"find / -xdev '(' -path {checkout} -o -path /root/.cache ')' -prune -o -iname '*clearsky*' -print; find /run -iname '*clearsky*'"
    )
    assert found == ""
    assert at.sh("ls /etc/openstack 2>/dev/null || true") == ""


@pytest.mark.parametrize("checkout", ["/srv/clearsky"])
def test_a_machine_without_systemd(cache: Path, checkout: str):
    with machine(cache, number=1, systemd=False, checkout=checkout) as new:
        user = Newcomer(new, checkout)
        user.clearsky("up")
        new.sh("apt-get install -qq -y --no-install-recommends openssh-client")
        address = user.make_a_server()
        told = user.in_guest(address, "curl -s http://169.254.169.254/openstack/latest/meta_data.json")
        assert json.loads(told)["name"] == "first"
        boot = user.in_guest(address, "cat /proc/sys/kernel/random/boot_id")
        user.openstack("server reboot --wait first")
        until_rebooted(user, address, boot)
        assert json.loads(user.clearsky("status", "--json"))["wrong"] == []
        user.delete_everything(address)
        user.clearsky("down", "--purge")
        assert_nothing_is_left(new, checkout)


def served_to_the_world(new: Machine, user: Newcomer, folder: Path) -> None:
    """Let it be reached from this machine, on a port that needs a right, with TLS; renew its certificate."""
    name = f"10.213.{new.number}.2"
    settings = f'[api]\nhost = "0.0.0.0"\nport = 443\npublic_name = "{name}"\n'
    new.sh(f"mkdir /etc/clearsky; cat > /etc/clearsky/clearsky.toml <<< '{settings}'")
    user.clearsky("up")
    trusted = folder / f"ca-{new.number}.pem"
    trusted.write_text(new.sh("cat /var/lib/clearsky/tls/ca.pem"))

    def shown() -> str:
        return ssl.get_server_certificate((name, 443), ca_certs=str(trusted))

    def version() -> int:
        context = ssl.create_default_context(cafile=str(trusted))
        with closing(http.client.HTTPSConnection(name, 443, context=context, timeout=10)) as line:
            line.request("GET", "/identity/v3")
            with line.getresponse() as answer:
                return answer.status

    assert version() == 200
    assert f"https://{name}:443/" in user.openstack("catalog list")
    before = shown()
    new.sh("rm /var/lib/clearsky/tls/api.key; systemctl start clearsky-renew.service")
    end = time.monotonic() + 20
    while shown() == before:
        assert time.monotonic() < end, "the old certificate is still shown"
        time.sleep(0.5)
    assert "clearsky-renew.timer" in new.sh("systemctl list-timers --no-pager")
    trusted.unlink()


def until_rebooted(user: Newcomer, address: str, boot: str) -> None:
    end = time.monotonic() + 90
    while user.in_guest(address, "cat /proc/sys/kernel/random/boot_id") == boot:
        assert time.monotonic() < end, "the guest does not boot again"
        time.sleep(0.5)


@pytest.mark.parametrize("checkout", ["/root/clearsky"])
def test_a_machine_with_systemd(cache: Path, checkout: str):
    with machine(cache, number=2, systemd=True, checkout=checkout) as new:
        user = Newcomer(new, checkout)
        user.clearsky("up")
        new.sh("apt-get install -qq -y --no-install-recommends openssh-client procps")
        address = user.make_a_server()
        told = user.in_guest(address, "curl -s http://169.254.169.254/openstack/latest/meta_data.json")
        assert json.loads(told)["name"] == "first"

        units = [f"clearsky-{name}" for name in (*ENGINES, *OWN)]
        assert new.sh(f"systemctl is-active clearsky.target {' '.join(units)}").split() == ["active"] * (
            len(units) + 1
        )
        for name in OWN[:2]:
            shown = new.sh(f"systemctl show -p NoNewPrivileges,CapabilityBoundingSet,User clearsky-{name}")
            assert set(shown.split("\n")) >= {
                "NoNewPrivileges=yes",
                "CapabilityBoundingSet=",
                "User=clearsky",
            }
        assert "the APIs" in new.sh("systemctl status --no-pager clearsky-api")
        assert '"path": "/compute/v2.1/servers"' in user.clearsky("logs", "-n", "500", "api")

        guest = new.sh("pgrep -f ^/usr/bin/qemu-system")
        for unit in (*units, "clearsky-prepare", "clearsky.target"):
            new.sh(f"systemctl restart {unit}")
            assert new.sh("pgrep -f ^/usr/bin/qemu-system") == guest, f"{unit} disturbed a guest"
            user.in_guest(address, "true")
        new.sh("systemctl stop clearsky.target")
        assert new.sh("pgrep -f ^/usr/bin/qemu-system") == guest
        new.sh("systemctl start clearsky.target")
        user.in_guest(address, "true")

        seen = user.in_guest(address, "cat /proc/sys/kernel/random/boot_id")
        user.in_guest(address, "sudo sh -c 'echo kept > /kept; sync'")
        took = new.shut_down()
        assert took < 60, f"the machine needed {took:.0f} s to go down"
        new.boot()
        until_rebooted(user, address, seen)
        assert user.in_guest(address, "cat /kept") == "kept\n"
        assert user.openstack("server list -f value -c Status") == "ACTIVE"
        assert json.loads(user.clearsky("status", "--json"))["wrong"] == []
        assert new.sh("systemctl --failed --no-legend") == ""

        user.clearsky("down")
        assert new.sh("pgrep qemu-system || true") == ""
        new.shut_down()
        new.boot()
        assert new.sh("systemctl is-active clearsky.target", check=False) == "inactive\n"
        served_to_the_world(new, user, cache)
        user.in_guest(address, "true")
        user.delete_everything(address)
        user.clearsky("down", "--purge")
        assert_nothing_is_left(new, checkout)


def test_the_fast_tests_on_a_new_machine(cache: Path):
    with machine(cache, number=3, systemd=False) as new:
        done = new.run("/root/clearsky/clearsky", "test", "--fast", check=False, timeout=1500)
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]

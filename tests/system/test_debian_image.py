"""A whole Debian as a guest: built here, found by cloud-init, reached by ssh."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]


def test_a_debian_built_here_boots_with_cloud_init_and_keeps_its_boot_partition_current(cloud, key, cache):
    image = cache / "debian-12.qcow2"  # built on the test's own host: the cloud's has no way to packages
    if not image.exists():
        words = [sys.executable, "-m", "clearsky.cli.main", "image", "build", "debian-12", "-o", str(image)]
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "installing remaining packages" in done.stdout, "no progress was shown"
    run = cloud.openstack
    run(
        "image", "create", "--disk-format", "qcow2", "--container-format", "bare", "--min-disk", "2",
        "--min-ram", "512", "--property", "os_admin_user=debian", "--file", str(image), "debian-12",
    )  # fmt: skip
    server = run(
        "server", "create", "--image", "debian-12", "--flavor", "m1.small", "--network", "demo", "--key-name", "trial",
        "--security-group", "ssh-and-ping", "--property", "kind=whole", "--wait", "deb",
    )  # fmt: skip
    address = run("floating", "ip", "create", "public")["floating_ip_address"]
    run("server", "add", "floating", "ip", "deb", address)

    def guest(command: str) -> str:
        return cloud.ssh(address, key, command, user="debian", check=False)

    cloud.wait_for_ssh(address, key, 400, user="debian")
    assert "status: done" in guest("cloud-init status --wait")
    assert guest("systemctl is-system-running --wait").strip() == "running", guest("systemctl --failed")
    assert guest("hostname").strip() == "deb"
    assert server["id"] in guest("cloud-init query instance_id")
    assert int(guest("df -m / | tail -1").split()[1]) > 9000, "the root file system has not grown"
    assert (
        guest(
            "sudo /etc/kernel/postinst.d/zz-boot-loader && sudo cmp /vmlinuz /boot/loader/vmlinuz && echo same"
        ).strip()
        == "same"
    )
    assert guest("sudo grep -c '^[^:]*:[^*!]' /etc/shadow").strip() == "0", "an account has a password"
    run("server", "delete", "--wait", "deb")
    run("floating", "ip", "delete", address)
    run("image", "delete", "debian-12")

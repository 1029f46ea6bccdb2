"""A Ceph cluster of one monitor and one OSD on a file, by hand: no systemd, nothing outside of one folder."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "rbd")


def missing() -> list[str]:
    return [name for name in PROGRAMS if not shutil.which(name)]


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ceph:
    def __init__(self, folder: Path, size_bytes: int = 3 << 30) -> None:
        self.folder, self.conf = folder, folder / "ceph.conf"
        self.size_bytes = size_bytes
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}

    def run(self, *words: str, timeout_s: float = 60.0) -> str:
        done = subprocess.run(
            [words[0], "-c", str(self.conf), *words[1:]],
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            cwd=self.folder,
        )
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def ceph(self, *words: str) -> str:
        return self.run("ceph", "--connect-timeout", "30", *words)

    def start(self) -> None:
        """From nothing to a pool `images` and the user `glance` in about ten seconds."""
        fsid = str(uuid.uuid4())
        address = f"[v2:127.0.0.1:{_port()},v1:127.0.0.1:{_port()}]"
        keyring = self.folder / "keyring"
        self.conf.write_text(
            f"""[global]
fsid = {fsid}
mon_host = {address}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
keyring = {keyring}
run_dir = {self.folder}
admin_socket = {self.folder}/$name.asok
log_file = {self.folder}/$name.log
pid_file = {self.folder}/$name.pid
crash_dir = {self.folder}/crash
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_allow_pool_delete = true
mon_warn_on_insecure_global_id_reclaim_allowed = false
mon_data = {self.folder}/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
osd_data = {self.folder}/osd
osd_memory_target = 1073741824
osd_fast_shutdown = true
bluestore_block_size = {self.size_bytes}
bluestore_block_create = true
bluestore_block_db_create = false
bluestore_block_wal_create = false
"""
        )
        caps = ("--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
        self.run("ceph-authtool", "-C", str(keyring), "-g", "-n", "mon.", "--cap", "mon", "allow *")
        self.run("ceph-authtool", str(keyring), "-g", "-n", "client.admin", *caps)
        monmap = str(self.folder / "monmap")
        self.run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
        self.run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", str(keyring))
        self._daemon("mon", "ceph-mon", "-i", "a")
        (self.folder / "osd").mkdir()
        self.ceph("osd", "new", osd := str(uuid.uuid4()))
        key = self.ceph(
            "auth", "get-or-create-key", "osd.0", "mon", "allow profile osd", "osd", "allow *"
        ).strip()
        (self.folder / "osd" / "keyring").write_text(f"[osd.0]\n\tkey = {key}\n")
        self.run(
            "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd, "--keyring", f"{self.folder}/osd/keyring"
        )
        self.start_osd()
        self.ceph("osd", "pool", "create", "images", "8")
        self.run("rbd", "pool", "init", "images")
        user = self.ceph(
            "auth", "get-or-create", "client.glance", "mon", "profile rbd", "osd", "profile rbd pool=images"
        )
        with keyring.open("a") as file:
            file.write(user)

    def start_osd(self) -> None:
        self._daemon("osd", "ceph-osd", "-i", "0", "--keyring", f"{self.folder}/osd/keyring")
        for _ in range(200):
            if "1 up" in self.ceph("osd", "stat"):
                return
            time.sleep(0.1)
        raise AssertionError("the OSD does not come up")

    def _daemon(self, name: str, *words: str) -> None:
        self._daemons[name] = subprocess.Popen(
            [words[0], "-c", str(self.conf), "-f", *words[1:]],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=os.environ | {"CEPH_SEED": secrets.token_hex(4)},
        )

    def lose_osd(self) -> None:
        """Kill the OSD, and let the monitor know at once."""
        self.kill("osd")
        self.ceph("osd", "down", "0")

    def kill(self, name: str) -> None:
        daemon = self._daemons.pop(name)
        daemon.send_signal(signal.SIGKILL)
        daemon.wait()

    def stop(self) -> None:
        for name in list(self._daemons):
            self.kill(name)

"""The metadata service's place in each network of this host: a namespace, a veth pair, a listening socket.

Files in run/metadata say who may read what: NETWORK/ADDRESS holds the tree of the server with that address. The
folder of a network is made first and removed last: while it is there, so may be the rest.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import structlog

from clearsky.agent import host
from clearsky.agent.host import HostError, run
from clearsky.agent.protocol import Desired, DesiredNetwork, DesiredServer
from clearsky.agent.switch import Plug, Switch
from clearsky.config import Config

log = structlog.get_logger("agent")
ADDRESS = "169.254.169.254"
PORT = 80
BACKLOG = 128
MESSAGE_BYTES = 16384
TakePassword = Callable[[str, str, str], None]
"""(network id, address, password)"""


class Networks:
    def __init__(self, config: Config, take_password: TakePassword) -> None:
        self._prefix = config.network.device_prefix
        self._folder = config.run / "metadata"
        self._switch = Switch(config)
        self._group = pwd.getpwnam(config.cloud.user + "-guest").pw_gid
        self._folder.mkdir(exist_ok=True)
        self._folder.chmod(0o750)
        os.chown(self._folder, 0, self._group)
        self._service = _Service(self._folder, config.cloud.user + "-guest", take_password)
        self._made: dict[str, DesiredNetwork] = {}
        self._trees: dict[tuple[str, str], dict[str, str]] = {}

    def namespace(self, network_id: str) -> str:
        return f"{self._prefix}-{network_id[:11]}"

    def ensure(self, desired: Desired) -> dict[str, str]:
        """Make what the networks need and publish every server's metadata; returns errors by network id."""
        wanted = {network.id: network for network in desired.networks}
        errors = {}
        for id in set(os.listdir(self._folder)) - set(wanted):
            self._remove(id)
        if self._service.revive():
            self._made.clear()
        for id, network in wanted.items():
            try:
                self._publish(id, desired.servers)
                if self._made.get(id) != network:
                    self._make(network)
                    self._made[id] = network
            except (HostError, OSError) as error:
                log.warning("a network's metadata is not served", network=id, error=str(error))
                errors[id] = f"the metadata service of network {id}: {error}"
        return errors

    def look_again(self) -> None:
        """Check at the next `ensure` that nothing has been taken away."""
        self._made.clear()

    def _publish(self, id: str, servers: tuple[DesiredServer, ...]) -> None:
        folder = self._folder / id
        if not folder.exists():
            folder.mkdir(mode=0o750)
            os.chown(folder, 0, self._group)
            self._trees = {key: tree for key, tree in self._trees.items() if key[0] != id}
        wanted = {
            ip: server.metadata for server in servers for network, ip in server.addresses if network == id
        }
        for ip in set(os.listdir(folder)) - set(wanted):
            (folder / ip).unlink(missing_ok=True)
            self._trees.pop((id, ip), None)
        for ip, tree in wanted.items():
            if self._trees.get((id, ip)) != tree:
                unfinished = self._folder / f"{id}.{ip}.new"
                descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o640)
                with os.fdopen(descriptor, "w") as file:
                    json.dump(tree, file)
                os.chown(unfinished, 0, self._group)
                unfinished.rename(folder / ip)
                self._trees[id, ip] = tree

    def _make(self, network: DesiredNetwork) -> None:
        namespace, (outer, inner) = self.namespace(network.id), self._ends(network.id)
        if namespace not in host.namespaces():
            run("ip", "netns", "add", namespace)
        if outer not in host.devices():
            peer = ("peer", "name", inner, "netns", namespace, "address", network.metadata_mac)
            run(
                "ip",
                "link",
                "add",
                outer,
                "mtu",
                str(network.mtu),
                "type",
                "veth",
                *peer,
                "mtu",
                str(network.mtu),
            )
        with host.inside(namespace):
            if not any(":" in cidr for cidr in network.metadata_cidrs):
                Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1", encoding="ascii")
        # A userspace datapath delivers frames whose checksum nobody has filled in.
        run("ip", "netns", "exec", namespace, "ethtool", "-K", inner, "tx", "off")
        for device in ("lo", inner):
            run("ip", "-n", namespace, "link", "set", "dev", device, "up")
        for cidr in (*network.metadata_cidrs, f"{ADDRESS}/32"):
            run(
                "ip",
                "-n",
                namespace,
                "address",
                "replace",
                cidr,
                "dev",
                inner,
                *(("nodad",) if ":" in cidr else ()),
            )
        self._drop_other_addresses(namespace, inner, network)
        run("ip", "link", "set", "dev", outer, "up")
        plug = Plug(outer, network.metadata_port_id, f"network:{network.id}")
        self._switch.plug([(plug, network.metadata_mac)])
        if network.id not in self._service.listening:
            with host.inside(namespace):
                listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((ADDRESS, PORT))
            listener.listen(BACKLOG)
            self._service.open(network.id, listener)

    @staticmethod
    def _drop_other_addresses(namespace: str, device: str, network: DesiredNetwork) -> None:
        """Take addresses of removed subnets away: they may be a guest's next."""
        shown = json.loads(
            run("ip", "-j", "-n", namespace, "address", "show", "dev", device, "scope", "global")
        )
        for address in shown[0].get("addr_info", []) if shown else []:
            cidr = f"{address['local']}/{address['prefixlen']}"
            if cidr not in (*network.metadata_cidrs, f"{ADDRESS}/32"):
                run("ip", "-n", namespace, "address", "del", cidr, "dev", device)

    def _ends(self, network_id: str) -> tuple[str, str]:
        return f"{self._prefix}m{network_id[:10]}", f"{self._prefix}i{network_id[:10]}"

    def _remove(self, id: str) -> None:
        if not (self._folder / id).is_dir():
            (self._folder / id).unlink(missing_ok=True)  # half a file of an agent that was killed
            return
        outer, _ = self._ends(id)
        with contextlib.suppress(HostError):  # tried again at the next look: the folder is still there
            self._service.close(id)
            self._switch.unplug([outer])
            host.remove_device(outer)
            if self.namespace(id) in host.namespaces():
                run("ip", "netns", "delete", self.namespace(id))
            shutil.rmtree(self._folder / id)
        self._made.pop(id, None)


class _Service:
    """The process that answers guests. It has no privileges, so listening sockets are handed to it."""

    def __init__(self, folder: Path, account: str, take_password: TakePassword) -> None:
        self._folder, self._account, self._take_password = folder, account, take_password
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self.listening: set[str] = set()

    def revive(self) -> bool:
        """Start the process where it does not run; says whether it had to."""
        if self._process is not None and self._process.poll() is None:
            return False
        if self._process is not None:
            log.warning("the metadata process had died", status=self._process.returncode)
        if self._line is not None:
            self._line.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            account = pwd.getpwnam(self._account)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "clearsky.agent.metadata", str(theirs.fileno()), str(self._folder)],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                user=account.pw_uid,
                group=account.pw_gid,
                extra_groups=[],
            )
        self._line, self.listening = ours, set()
        threading.Thread(target=self._hear, args=(ours,), name="passwords", daemon=True).start()
        return True

    def _hear(self, line: socket.socket) -> None:
        """Take over what guests post; ends with the process at the other end."""
        with contextlib.suppress(OSError):
            while message := line.recv(MESSAGE_BYTES):
                try:
                    network_id, address, password = json.loads(message)
                    self._take_password(str(network_id), str(address), str(password))
                except (ValueError, OSError) as error:
                    log.warning("a guest's password is lost", error=str(error))

    def open(self, network_id: str, listener: socket.socket) -> None:
        assert self._line is not None
        with listener:
            socket.send_fds(self._line, [b"+" + network_id.encode()], [listener.fileno()])
        self.listening.add(network_id)

    def close(self, network_id: str) -> None:
        if network_id in self.listening and self._line is not None:
            with contextlib.suppress(OSError):
                self._line.send(b"-" + network_id.encode())
            self.listening.discard(network_id)

"""A server's files on this host. The folder is made first and removed last: while it is there, so is the server."""

from __future__ import annotations

import base64
import grp
import json
import os
import pwd
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from clearsky.agent.control_plane import ControlPlane
from clearsky.agent.host import HostError, run
from clearsky.agent.image_cache import ImageCache
from clearsky.agent.protocol import DesiredDisk, DesiredServer
from clearsky.config import Config

GIB = 1024**3
ROOT, CHECKPOINT, RESCUE, SNAPSHOT = "root.qcow2", "checkpoint.qcow2", "rescue.qcow2", "snapshot.qcow2"
EPHEMERAL, SWAP, CONFIG_DRIVE = "ephemeral.qcow2", "swap.qcow2", "config.iso"
PASSWORD = "openstack/latest/password"
COPY_S = 1800.0


class Folders:
    def __init__(self, config: Config) -> None:
        self.root = config.state / "servers"
        self.sockets = config.run / "servers"
        self.cache = config.state / "image-cache"
        account = pwd.getpwnam(config.compute.qemu_user)
        self._qemu = (account.pw_uid, account.pw_gid)
        self._api = pwd.getpwnam(config.cloud.user).pw_gid
        for folder, mode in ((self.root, 0o711), (self.sockets, 0o711), (self.cache, 0o711)):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(mode)
        control_plane = ControlPlane(config)
        self._give = control_plane.give_snapshot if config.joined else None
        self._host = config.host
        self.images = ImageCache(
            self.cache,
            self._qemu[1],
            config.compute.image_cache_gib * GIB,
            lambda image_id: control_plane.image(config.host, image_id),
        )

    def ids(self) -> set[str]:
        """Return the servers that have a folder here."""
        return set(os.listdir(self.root))

    def of(self, server_id: str) -> Path:
        return self.root / server_id

    def vnc_socket(self, server_id: str) -> Path:
        return self.sockets / server_id / "vnc.sock"

    def read(self, server_id: str) -> dict[str, Any]:
        """Return what the agent keeps about a server: image, power, action."""
        try:
            return dict(json.loads((self.of(server_id) / "agent.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def write(self, server_id: str, **values: Any) -> None:
        """Keep something about a server, whole or not at all."""
        known = self.read(server_id)
        if all(known.get(name) == value for name, value in values.items()):
            return
        unfinished = self.of(server_id) / "agent.json.new"
        unfinished.write_text(json.dumps(known | values), encoding="utf-8")
        unfinished.rename(self.of(server_id) / "agent.json")

    def ensure(self, server: DesiredServer) -> tuple[Path, tuple[Path, str] | None]:
        """Make the folder and the root disk; return the disk and what is below it. The server must be off."""
        folder, disk = self.of(server.id), server.root_disk
        for path in (folder, self.sockets / server.id):
            path.mkdir(exist_ok=True)
        folder.chmod(0o751)
        os.chown(folder, 0, self._api)
        os.chown(self.sockets / server.id, self._qemu[0], self._api)
        (self.sockets / server.id).chmod(0o2771)
        root = folder / ROOT
        if self.read(server.id).get("disk", "") != disk.token:
            for name in (ROOT, CHECKPOINT, EPHEMERAL, SWAP, CONFIG_DRIVE):
                (folder / name).unlink(missing_ok=True)
            self.write(server.id, disk=disk.token, checkpoint="")
        self.write(server.id, image=disk.image_id)
        backing = self._base(disk)
        size = max(disk.size_gib * GIB, disk.image_size_bytes)
        self._checkpoint(server, root)
        if not root.exists():
            self._disk(root, size, backing)
        elif self.read(server.id).get("size", size) != size and _virtual_size(root) < size:
            run("qemu-img", "resize", "-q", "-f", "qcow2", root, str(size))
        self.write(server.id, size=size)
        return root, backing

    def _checkpoint(self, server: DesiredServer, root: Path) -> None:
        """Keep a copy of the root disk, or put it back; see `DesiredServer.checkpoint`."""
        kept, copy = self.read(server.id).get("checkpoint", ""), root.with_name(CHECKPOINT)
        if server.checkpoint is None:
            self.forget_checkpoint(server.id)
            return
        wish, token = server.checkpoint
        if wish == "keep" and kept != token and root.exists():
            unfinished = copy.with_name(copy.name + ".new")
            run("cp", "-p", "--reflink=auto", "--sparse=always", root, unfinished, timeout_s=COPY_S)
            unfinished.rename(copy)
            self.write(server.id, checkpoint=token)
        elif wish == "restore" and kept == token:
            if copy.exists():
                copy.rename(root)
            self.write(server.id, checkpoint="", size=0)

    def forget_checkpoint(self, server_id: str) -> None:
        """Remove the copy that a resize could be reverted to."""
        (self.of(server_id) / CHECKPOINT).unlink(missing_ok=True)
        self.write(server_id, checkpoint="")

    def rescue_disk(self, server: DesiredServer) -> tuple[Path, tuple[Path, str] | None] | None:
        """Make the disk that a rescued server boots from, or remove the one of a rescue that is over."""
        path, disk = self.of(server.id) / RESCUE, server.rescue
        if disk is None or self.read(server.id).get("rescue", "") != disk.token:
            path.unlink(missing_ok=True)
        if disk is None:
            self.write(server.id, rescue="", rescue_image=None)
            return None
        self.write(server.id, rescue=disk.token, rescue_image=disk.image_id)
        backing = self._base(disk)
        return self._disk(path, max(disk.size_gib * GIB, disk.image_size_bytes), backing), backing

    # -- the copy for an image ------------------------------------------------------------------------------

    def snapshot_file(self, server_id: str) -> Path:
        return self.of(server_id) / SNAPSHOT

    def blank_snapshot(self, server_id: str) -> Path:
        """Make the empty file that a running server's disk is copied into."""
        path = self.snapshot_file(server_id)
        path.unlink(missing_ok=True)
        return self._disk(path, _virtual_size(self.of(server_id) / ROOT))

    def copy_for_snapshot(self, server_id: str) -> None:
        """Copy the disk of a server that is off, whole."""
        path = self.snapshot_file(server_id)
        path.unlink(missing_ok=True)
        root = self.of(server_id) / ROOT
        run("qemu-img", "convert", "-q", "-f", "qcow2", "-O", "qcow2", root, path, timeout_s=COPY_S)

    def hand_over_snapshot(self, server_id: str, token: str) -> None:
        """Let the api's account read the copy, or send it to where the api is; from now on it is complete."""
        path = self.snapshot_file(server_id)
        if self._give is not None:
            self._give(self._host, server_id, token, path)
        os.chown(path, 0, self._api)
        path.chmod(0o640)
        self.write(server_id, snapshot=token)

    def forget_snapshot(self, server_id: str) -> None:
        self.snapshot_file(server_id).unlink(missing_ok=True)
        self.write(server_id, snapshot="")

    def _disk(self, path: Path, size_bytes: int, backing: tuple[Path, str] | None = None) -> Path:
        if not path.exists():
            unfinished = path.with_name(path.name + ".new")
            below = ("-b", str(backing[0]), "-F", backing[1]) if backing else ()
            run("qemu-img", "create", "-q", "-f", "qcow2", *below, unfinished, str(size_bytes))
            os.chown(unfinished, *self._qemu)
            unfinished.chmod(0o600)
            unfinished.rename(path)
        return path

    def extra_disks(self, server: DesiredServer) -> tuple[Path, ...]:
        """Make the flavor's ephemeral and swap disks."""
        folder = self.of(server.id)
        wanted = [(EPHEMERAL, server.ephemeral_gib * GIB), (SWAP, server.swap_mib * 1024**2)]
        return tuple(self._disk(folder / name, size) for name, size in wanted if size)

    def _base(self, disk: DesiredDisk) -> tuple[Path, str] | None:
        """Return the cached image: a file of this host's own, so that the image's deletion harms no guest."""
        if disk.image_id is None:
            return None
        return self.images.use(disk), disk.image_format

    def config_drive(self, server: DesiredServer) -> Path | None:
        """Write the config drive once: an ISO image labelled config-2 with the metadata tree."""
        if not server.config_drive:
            return None
        path = self.of(server.id) / CONFIG_DRIVE
        if path.exists():
            return path
        with tempfile.TemporaryDirectory(dir=self.of(server.id), prefix="config-") as scratch:
            for name, content in server.metadata.items():
                if name == PASSWORD:
                    continue  # only the service takes and shows it
                file = Path(scratch, name)
                if not file.resolve().is_relative_to(Path(scratch).resolve()):
                    raise HostError(f"the metadata path {name!r} leaves its tree")
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(base64.b64decode(content))
            unfinished = path.with_name(path.name + ".new")
            run("genisoimage", "-quiet", "-J", "-r", "-V", "config-2", "-o", unfinished, scratch)
        os.chown(unfinished, *self._qemu)
        unfinished.chmod(0o400)
        unfinished.rename(path)
        return path

    def open_consoles(self, server_id: str) -> None:
        """Let the api's account read the console log and open the screen."""
        with suppress(FileNotFoundError):
            log = self.of(server_id) / "console.log"
            os.chown(log, 0, self._api)
            log.chmod(0o640)
        with suppress(FileNotFoundError):
            screen = self.vnc_socket(server_id)
            os.chown(screen, self._qemu[0], self._api)
            screen.chmod(0o660)

    def remove(self, server_id: str) -> None:
        """Remove all files of a server, the folder itself last."""
        shutil.rmtree(self.sockets / server_id, ignore_errors=True)
        folder = self.of(server_id)
        if folder.exists():
            shutil.rmtree(folder)

    def sweep_cache(self, wanted: set[str], evicted: frozenset[str]) -> None:
        """Forget cached images that no server on this host stands on, but for the last used of what was fetched."""
        kept = [self.read(id) for id in self.ids()]
        used = wanted | {str(one.get(name)) for one in kept for name in ("image", "rescue_image")}
        self.images.sweep(used, evicted)


def _virtual_size(path: Path) -> int:
    """Return how large a disk is for its guest, in bytes."""
    told = run("qemu-img", "info", "-U", "-f", "qcow2", "--output=json", path)
    return int(json.loads(told)["virtual-size"])


def group_name(config: Config) -> str:
    """Return the name of the group of the account that servers run as."""
    return grp.getgrgid(pwd.getpwnam(config.compute.qemu_user).pw_gid).gr_name

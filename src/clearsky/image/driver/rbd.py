"""Image data in Ceph: one RBD image each, with the protected snapshot `snap` that servers and volumes clone from.

Ceph's own Python bindings are loaded by path: see docs/adr/0020.
"""

from __future__ import annotations

import errno
import importlib.util
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC
from pathlib import Path
from typing import Any

from clearsky.config_sections import ImageStore
from clearsky.errors import Conflict, NotFound, Unavailable
from clearsky.image.driver.interface import StorageFull

BINDINGS = Path("/usr/lib/python3/dist-packages")
SNAPSHOT = "snap"
_PART = ".part"
_GROW_BYTES = 1 << 30
_OBJECT_ORDER = 23
"""8 MiB objects, as Glance makes them."""
_TIMEOUT_S = "30"


def bindings() -> tuple[Any, Any]:
    """Return Ceph's modules rados and rbd; raises Unavailable where Debian's packages are missing."""
    for name in ("rados", "rbd"):
        if name in sys.modules:
            continue
        file = BINDINGS / f"{name}{sysconfig.get_config_var('EXT_SUFFIX')}"
        spec = importlib.util.spec_from_file_location(name, file) if file.exists() else None
        if spec is None or spec.loader is None:
            raise Unavailable(f"{file} is missing: install Debian's package python3-{name}")
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules["rados"], sys.modules["rbd"]


class Rbd:
    """A pool of a Ceph cluster."""

    def __init__(self, settings: ImageStore) -> None:
        self.settings = settings
        self._lock = threading.Lock()
        self._cluster: Any = None

    def _connected(self) -> Any:
        rados, _ = bindings()
        with self._lock:
            if self._cluster is None:
                options = dict.fromkeys(
                    ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout"), _TIMEOUT_S
                )
                cluster = rados.Rados(
                    conffile=str(self.settings.ceph_conf), rados_id=self.settings.ceph_user, conf=options
                )
                cluster.connect()
                self._cluster = cluster
            return self._cluster

    @contextmanager
    def translated(self) -> Iterator[Any]:
        """Yield the module rbd; Ceph's errors become ours."""
        rados, rbd = bindings()
        try:
            yield rbd
        except (rbd.ImageNotFound, rados.ObjectNotFound) as error:
            raise NotFound(f"Ceph's pool {self.settings.pool} does not have it: {error}") from error
        except (rbd.ImageBusy, rbd.ImageHasSnapshots) as error:
            raise Conflict(f"The data is in use in Ceph's pool {self.settings.pool}: {error}") from error
        except (rados.Error, rbd.Error) as error:
            if getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("Image storage media is full: the data was not kept.") from error
            if getattr(error, "errno", 0) == errno.ETIMEDOUT:
                # A connection whose requests ran out of time stays deaf after the cluster is back.
                with self._lock:
                    self._cluster = None
            raise Unavailable(f"Ceph's pool {self.settings.pool}: {error}") from error

    def context(self) -> Any:
        """Return a new context of the pool, to be closed."""
        return self._connected().open_ioctx(self.settings.pool)

    @contextmanager
    def pool(self) -> Iterator[tuple[Any, Any]]:
        """Yield (module rbd, the pool's context)."""
        with self.translated() as rbd, self.context() as context:
            yield rbd, context

    def create(self, name: str, size_hint: int | None = None) -> RbdWriter:
        return RbdWriter(self, name, size_hint)

    def open(self, name: str) -> RbdReader:
        return RbdReader(self, name)

    def remove(self, name: str) -> None:
        for found in (name, name + _PART):
            with suppress(NotFound), self.pool() as (rbd, context):
                with rbd.Image(context, found) as image:
                    for snapshot in list(image.list_snaps()):
                        if image.is_protected_snap(snapshot["name"]):
                            image.unprotect_snap(snapshot["name"])
                        image.remove_snap(snapshot["name"])
                rbd.RBD().remove(context, found)

    def names(self) -> Iterator[str]:
        with self.pool() as (rbd, context):
            yield from (name for name in rbd.RBD().list(context) if not name.endswith(_PART))

    def unfinished(self, older_than_s: float) -> Iterator[str]:
        with self.pool() as (rbd, context):
            for name in rbd.RBD().list(context):
                if name.endswith(_PART):
                    with suppress(rbd.ImageNotFound), rbd.Image(context, name, read_only=True) as image:
                        # Ceph's times are UTC that does not say so.
                        touched = image.modify_timestamp().replace(tzinfo=UTC).timestamp()
                        if touched <= time.time() - older_than_s:
                            yield name.removesuffix(_PART)

    def path(self, name: str) -> str | None:
        return None

    def url(self, name: str) -> str:
        return f"rbd://{self._connected().get_fsid()}/{self.settings.pool}/{name}/{SNAPSHOT}"

    def properties(self) -> dict[str, str]:
        return {"pool": self.settings.pool, "user": self.settings.ceph_user}


class RbdWriter:
    """Grows the RBD image ahead of the bytes."""

    def __init__(self, store: Rbd, name: str, size_hint: int | None) -> None:
        self._store, self._name, self._part = store, name, name + _PART
        self._size, self._offset = size_hint or _GROW_BYTES, 0
        with store.translated() as rbd:
            self._context = store.context()
            self._image: Any = None
            try:
                rbd.RBD().create(self._context, self._part, self._size, order=_OBJECT_ORDER, old_format=False)
                self._image = rbd.Image(self._context, self._part)
            except BaseException:
                self._context.close()
                raise

    def write(self, data: memoryview) -> None:
        chunk = bytes(data)
        with self._store.translated():
            end = self._offset + len(chunk)
            if end > self._size:
                self._size = max(end, self._size + _GROW_BYTES)
                self._image.resize(self._size)
            # Zeros need not be kept: what was never written reads as zeros.
            if chunk.count(0) != len(chunk):
                self._image.write(chunk, self._offset)
            self._offset = end

    def finish(self) -> None:
        with self._store.translated() as rbd:
            self._image.resize(self._offset)
            self._image.flush()
            self._image.create_snap(SNAPSHOT)
            self._image.protect_snap(SNAPSHOT)
            self._close_image()
            rbd.RBD().rename(self._context, self._part, self._name)
            self._context.close()

    def abandon(self) -> None:
        self._close_image()
        self._context.close()
        self._store.remove(self._name)

    def _close_image(self) -> None:
        if self._image is not None:
            image, self._image = self._image, None
            image.close()


class RbdReader:
    def __init__(self, store: Rbd, name: str) -> None:
        self._store = store
        with store.translated() as rbd:
            self._context = store.context()
            try:
                self._image = rbd.Image(self._context, name, read_only=True)
            except BaseException:
                self._context.close()
                raise
            self.size = int(self._image.size())
        self._open = True

    def read(self, offset: int, size: int) -> bytes:
        size = min(size, self.size - offset)
        with self._store.translated():
            return bytes(self._image.read(offset, size)) if size > 0 else b""

    def close(self) -> None:
        if self._open:
            self._open = False
            self._image.close()
            self._context.close()

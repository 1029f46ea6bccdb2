"""libvirt, as far as servers need it: what runs, and the few verbs that change it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import libvirt
import structlog

from clearsky.agent.host import HostError
from clearsky.agent.protocol import PowerState

log = structlog.get_logger("agent")
PREFIX = "server-"
KEEPALIVE_S = 5
_POWER: dict[int, PowerState] = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_BLOCKED: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "paused",
    libvirt.VIR_DOMAIN_SHUTDOWN: "running",
}


@dataclass(frozen=True, slots=True)
class Domain:
    id: str
    power: PowerState
    powered_off_by_guest: bool
    """It is off because the guest shut itself down (also when it was asked to by the power button)."""


@contextlib.contextmanager
def told(what: str) -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        raise HostError(f"{what}: {error.get_error_message() or error}") from error


class Domains:
    """One connection, made again when it breaks; `changed` is called when a domain's life turns."""

    def __init__(self, uri: str, changed: Callable[[], None]) -> None:
        self._uri, self._changed = uri, changed
        self._connection: libvirt.virConnect | None = None
        self._lock = threading.Lock()
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        threading.Thread(target=self._events, name="libvirt-events", daemon=True).start()

    @staticmethod
    def _events() -> None:
        while True:
            with contextlib.suppress(libvirt.libvirtError):
                libvirt.virEventRunDefaultImpl()

    def _open(self) -> libvirt.virConnect:
        with self._lock:
            if self._connection is not None and self._connection.isAlive():
                return self._connection
            with told(f"connecting to {self._uri}"):
                connection = libvirt.open(self._uri)
                connection.setKeepAlive(KEEPALIVE_S, 3)
                connection.domainEventRegisterAny(
                    None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lambda *_: self._changed(), None
                )
            self._connection = connection
            return connection

    def version(self) -> int:
        """Return the hypervisor's version as libvirt counts: 7 002 022 is 7.2.22."""
        with told("asking for the version"):
            return int(self._open().getVersion())

    def all(self) -> dict[str, Domain]:
        """Return the servers of this host that libvirt knows."""
        with told("listing the servers"):
            found = {}
            for domain in self._open().listAllDomains():
                if domain.name().startswith(PREFIX):
                    try:
                        found[domain.UUIDString()] = self._look(domain)
                    except libvirt.libvirtError as error:
                        # Gone meanwhile; a broken connection must not look like that.
                        if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                            raise
            return found

    @staticmethod
    def _look(domain: libvirt.virDomain) -> Domain:
        state, reason = domain.state()
        off = state == libvirt.VIR_DOMAIN_SHUTOFF and reason == libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN
        power = _POWER.get(state, "shutdown")
        if power == "shutdown" and domain.hasManagedSaveImage():
            power = "suspended"
        return Domain(domain.UUIDString(), power, off)

    def connection(self) -> libvirt.virConnect:
        return self._open()

    def known(self, id: str) -> libvirt.virDomain:
        """Return libvirt's own handle of a server; raises HostError where it knows none."""
        domain = self._find(id)
        if domain is None:
            raise HostError(f"libvirt does not know the server {id} any more")
        return domain

    def _find(self, id: str) -> libvirt.virDomain | None:
        try:
            return self._open().lookupByUUIDString(id)
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise HostError(f"looking for {id}: {error}") from error

    def get(self, id: str) -> Domain | None:
        domain = self._find(id)
        if domain is None:
            return None
        with told(f"looking at {id}"):
            return self._look(domain)

    def define(self, xml: str) -> None:
        """Tell libvirt what the server is from its next start on."""
        with told("defining the server"):
            self._open().defineXML(xml)

    def start(self, id: str) -> None:
        """Start a server that is defined; one that runs is left alone."""
        domain = self.known(id)
        with told("starting the server"):
            if not domain.isActive():
                domain.create()

    def resume(self, id: str) -> None:
        if (domain := self._find(id)) is not None:
            with told("resuming the server"):
                domain.resume()

    def suspend(self, id: str) -> None:
        if (domain := self._find(id)) is not None:
            with told("pausing the server"):
                domain.suspend()

    def shut_down(self, id: str, timeout_s: float, go_on: Callable[[], bool]) -> None:
        """Press the power button and wait; cut the power after the time-out, or when `go_on` says no."""
        domain = self._find(id)
        if domain is None or not domain.isActive():
            return
        end = time.monotonic() + timeout_s
        pressed = 0.0
        while time.monotonic() < end and go_on():
            try:
                if not domain.isActive():
                    return
                # A guest that was just starting has not heard the first press.
                if time.monotonic() - pressed > 10:
                    domain.shutdownFlags(libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN)
                    pressed = time.monotonic()
            except libvirt.libvirtError:
                break
            time.sleep(0.1)
        self.power_off(id)

    def power_off(self, id: str) -> None:
        domain = self._find(id)
        if domain is not None:
            with contextlib.suppress(libvirt.libvirtError):
                if domain.isActive():
                    domain.destroy()
            with told("cutting the server's power"):
                if domain.isActive():
                    domain.destroy()

    def remove(self, id: str) -> None:
        """End and forget a server; an absent one is as good."""
        self.power_off(id)
        domain = self._find(id)
        if domain is not None:
            flags = libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            with told("forgetting the server"):
                domain.undefineFlags(flags)

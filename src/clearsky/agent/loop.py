"""The agent's loop: hear what is wanted, look at what is there, act on the difference, report."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from clearsky import __version__
from clearsky.agent import capacity, host, live
from clearsky.agent.control_plane import ControlPlane, NotReached
from clearsky.agent.databases import Databases
from clearsky.agent.domains import Domain, Domains
from clearsky.agent.host import HostError
from clearsky.agent.networks import Networks
from clearsky.agent.prefetch import Prefetch
from clearsky.agent.protocol import Desired, DesiredServer, Observed, ObservedServer, Step
from clearsky.agent.servers import Servers
from clearsky.config import Config
from clearsky.engines import namespace

log = structlog.get_logger("agent")
PERIOD_S = 10.0
SWEEP_S = 60.0
GATHER_S = 0.02
"""So long after a wake-up, others are waited for: one look serves them all."""
THREADS = 32
FIRST_RETRY_S, LAST_RETRY_S = 0.5, 60.0
GIVE_UP_S = 20.0
"""An error that lasts so long is reported; before, an engine may just be starting again."""
STEPS_AT_ONCE = 1000


@dataclass(slots=True)
class _Trouble:
    """Why a server could not be moved, since when, and when it is tried again."""

    wanted: object
    since: float
    error: str
    wait_s: float = FIRST_RETRY_S
    again_at: float = 0.0


def _movement(server: DesiredServer) -> object:
    """Return the part of what is wanted that makes work under way pointless when it changes."""
    return server.power, server.action, server.wish, tuple(nic.port_id for nic in server.nics)


class Loop:
    def __init__(self, config: Config, *, accelerated: bool, outside: tuple[str, ...] = ()) -> None:
        self.config, self.accelerated = config, accelerated
        self._outside = outside
        """Words before a command that run it on the machine, where the agent is in a namespace."""
        self._wake = threading.Event()
        self._steps: list[Step] = []
        self._domains = Domains(config.libvirt_uri, self._wake.set)
        self._servers = Servers(config, self._domains, accelerated=accelerated, record=self._steps.append)
        self._prefetch = Prefetch(self._servers.folders.images, self._wake.set)
        self._evicted: tuple[str, ...] = ()
        self._networks = Networks(config, self._take_password)
        self._databases = Databases(config)
        self._control = ControlPlane(config)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="server")
        self._desired: Desired | None = None
        self._moving: set[str] = set()
        self._trouble: dict[str, _Trouble] = {}
        self._swept_at = self._reported_at = 0.0
        self._reported: Observed | None = None
        self._external: tuple[str, ...] = ()
        self.stopping = False

    def run(self) -> None:
        """Go round until `stop`; what is broken now is tried again in the next round."""
        threading.Thread(target=self._listen, name="desired", daemon=True).start()
        while not self.stopping:
            self._wake.wait(self._pause())
            time.sleep(GATHER_S)
            self._wake.clear()
            if self._desired is None or self.stopping:
                continue
            try:
                self._look(self._desired)
            except (HostError, NotReached) as error:
                log.warning("will look again", error=str(error))
                time.sleep(FIRST_RETRY_S)
            except Exception:
                log.exception("will look again")
                time.sleep(FIRST_RETRY_S)
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stop(self) -> None:
        self.stopping = True
        self._wake.set()

    def _pause(self) -> float:
        """Return how long nothing is due."""
        now = time.monotonic()
        due = [trouble.again_at - now for trouble in self._trouble.values()]
        return max(0.05, min([PERIOD_S, *due]))

    def _listen(self) -> None:
        while not self.stopping:
            try:
                since = self._desired.revision if self._desired else ""
                heard = self._control.desired(self.config.host, since)
            except NotReached as error:
                log.warning("the control plane does not answer", error=str(error))
                time.sleep(1)
                continue
            except Exception:
                log.exception("what is wanted could not be read")
                time.sleep(1)
                continue
            if heard != self._desired:
                self._desired = heard
                self._wake.set()

    # -- one round --------------------------------------------------------------------------------------------

    def _look(self, desired: Desired) -> None:
        now = time.monotonic()
        wanted = {server.id: server for server in desired.servers}
        sweep = now - self._swept_at > SWEEP_S
        if sweep:
            self._networks.look_again()
        if self.config.is_provider_gateway:
            self._ensure_external(desired.external_cidrs, again=sweep)
        self._databases.ensure(desired)
        faults = self._networks.ensure(desired)
        there = self._domains.all()
        present = set(there) | self._servers.folders.ids() | self._moving
        for server in desired.servers:
            if server.id in self._moving or not self._is_due(server, now):
                continue
            if self._servers.has_arrived(server, there.get(server.id)):
                self._trouble.pop(server.id, None)
                continue
            missing = [faults[network] for network, _ in server.addresses if network in faults]
            if missing:
                self._note(server.id, _movement(server), missing[0])
            else:
                self._move(server)
        for id in present - set(wanted) - self._moving:
            self._go(id, None)
        self._look_at_images(desired, sweep=sweep)
        if sweep:
            self._servers.sweep(set(wanted), set(self._moving))
            self._swept_at = now
        self._report(desired, there, present)

    def _look_at_images(self, desired: Desired, *, sweep: bool) -> None:
        """Fetch what is to be in the cache; forget what is not, now and then and when somebody asks for it."""
        self._prefetch.look(desired.cached)
        more, self._evicted = set(desired.evicted) - set(self._evicted), desired.evicted
        if not sweep and not more:
            return
        disks = [disk for one in desired.servers for disk in (one.root_disk, one.rescue) if disk]
        images = {disk.image_id for disk in (*disks, *desired.cached) if disk.image_id}
        self._servers.folders.sweep_cache(images, frozenset(desired.evicted))

    def _is_due(self, server: DesiredServer, now: float) -> bool:
        trouble = self._trouble.get(server.id)
        return trouble is None or trouble.wanted != _movement(server) or now >= trouble.again_at

    def _move(self, server: DesiredServer) -> None:
        self._go(server.id, server)

    def _go(self, id: str, server: DesiredServer | None) -> None:
        """Move one server in a thread of its own; `server` is None when it is to go away."""
        trouble = self._trouble.get(id)
        if server is None and trouble is not None and time.monotonic() < trouble.again_at:
            return
        self._moving.add(id)
        self._pool.submit(self._work, id, server)

    def _work(self, id: str, server: DesiredServer | None) -> None:
        wanted = _movement(server) if server else None

        def go_on() -> bool:
            current = self._desired
            newest = next((one for one in current.servers if one.id == id), None) if current else None
            return not self.stopping and newest is not None and _movement(newest) == wanted

        try:
            if server is None:
                self._servers.remove(id)
            else:
                self._servers.reach(server, go_on)
            self._trouble.pop(id, None)
        except Exception as error:
            if not isinstance(error, HostError):
                log.exception("a server could not be moved", server=id)
            self._note(id, wanted, str(error))
        finally:
            self._moving.discard(id)
            self._wake.set()

    def _note(self, id: str, wanted: object, error: str) -> None:
        known, now = self._trouble.get(id), time.monotonic()
        if known is None or known.wanted != wanted:
            known = _Trouble(wanted, now, error)
        log.warning("a server could not be moved", server=id, error=error, again_in_s=known.wait_s)
        known.error, known.again_at = error, now + known.wait_s
        known.wait_s = min(known.wait_s * 2, LAST_RETRY_S)
        self._trouble[id] = known

    def _ensure_external(self, cidrs: tuple[str, ...], *, again: bool) -> None:
        """Give the host its own addresses on the provider networks."""
        if cidrs == self._external and not again:
            return
        bridge, gone = self.config.network.external_bridge, set(self._external) - set(cidrs)
        for cidr in cidrs:
            host.run("ip", "address", "replace", cidr, "dev", bridge)
        for cidr in gone:
            host.run("ip", "address", "del", cidr, "dev", bridge)
        try:
            namespace.route(self.config, cidrs, outside=self._outside)
            namespace.route(self.config, gone, verb="del", outside=self._outside)
        except RuntimeError as error:
            raise HostError(str(error)) from error
        self._external = cidrs

    def _take_password(self, network_id: str, address: str, password: str) -> None:
        """Keep what a guest has posted until the control plane has it."""
        desired = self._desired
        for server in desired.servers if desired else ():
            if (network_id, address) in server.addresses and server.id in self._servers.folders.ids():
                self._servers.folders.write(server.id, password=password)
                self._wake.set()

    # -- the report -------------------------------------------------------------------------------------------

    def _report(self, desired: Desired, there: dict[str, Domain], present: set[str]) -> None:
        now = time.monotonic()
        wanted = {server.id: server for server in desired.servers}
        plugged: dict[str, list[str]] = {}
        for plug in self._servers.switch.plugs():
            plugged.setdefault(plug.owner, []).append(plug.port_id)
        servers = [self._seen(server, there.get(server.id), plugged) for server in desired.servers]
        # What is still here is never called absent: its ports and claims stay until the host has let go of it.
        servers += [ObservedServer(id, "shutdown") for id in sorted(present - set(wanted))]
        steps = tuple(self._steps[:STEPS_AT_ONCE])
        fresh = now - self._reported_at > PERIOD_S - 1
        told = {id: self._servers.folders.read(id).get("password") for id in wanted}
        passwords = tuple((id, str(password)) for id, password in told.items() if password)
        report = Observed(self.config.host, desired.revision, tuple(servers), version=__version__)
        report = replace(report, cached=self._servers.folders.images.contents())
        if not steps and not fresh and not passwords and report == self._reported:
            return
        measured = capacity.measure(self.config, self._domains, accelerated=self.accelerated) if fresh else {}
        used = live.statistics(self._domains.connection()) if fresh else {}
        whole = replace(report, steps=steps, capacity=measured, statistics=used, passwords=passwords)
        self._control.report(whole)
        self.config.report_file.touch()
        del self._steps[: len(steps)]
        for id, _ in passwords:
            self._servers.folders.write(id, password="")
        self._reported = report
        if fresh:
            self._reported_at = now

    def _seen(
        self, server: DesiredServer, domain: Domain | None, plugged: dict[str, list[str]]
    ) -> ObservedServer:
        kept = self._servers.folders.read(server.id)
        trouble = self._trouble.get(server.id)
        lasting = (
            trouble is not None
            and trouble.wanted == _movement(server)
            and time.monotonic() - trouble.since > GIVE_UP_S
        )
        if domain is not None:
            self._servers.folders.open_consoles(server.id)
        return ObservedServer(
            server.id,
            domain.power if domain else "absent",
            error=trouble.error if trouble and lasting else "",
            action_done=str(kept.get("action", "")),
            console_path=str(self._servers.folders.vnc_socket(server.id))
            if domain and domain.power in ("running", "paused")
            else "",
            plugged=tuple(sorted(plugged.get(server.id, ()))),
            guest_stopped=domain is not None
            and (self._servers.guest_stopped(server, domain) or self._servers.memory_is_lost(server, domain)),
            reached=str(kept.get("wish", "")),
            snapshot=str(kept.get("snapshot", "")),
            snapshot_path=str(self._servers.folders.snapshot_file(server.id)) if kept.get("snapshot") else "",
        )

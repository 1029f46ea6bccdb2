"""Moves one server of this host to what is wanted of it. Every part may run again after any interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from clearsky.agent import host
from clearsky.agent.domain_xml import Layout, domain
from clearsky.agent.domains import Domain, Domains
from clearsky.agent.folders import Folders
from clearsky.agent.protocol import DesiredServer, Step
from clearsky.agent.switch import Plug, Switch
from clearsky.config import Config

log = structlog.get_logger("agent")
SHUTDOWN_S = 60.0
SOFT_REBOOT_S = 30.0


class Servers:
    def __init__(
        self, config: Config, domains: Domains, *, accelerated: bool, record: Callable[[Step], None]
    ) -> None:
        self.config, self.domains, self.accelerated = config, domains, accelerated
        self.folders, self.switch = Folders(config), Switch(config)
        self._record = record

    def tap(self, port_id: str) -> str:
        return f"{self.config.network.device_prefix}{port_id[:11]}"

    @contextmanager
    def _step(self, server_id: str, name: str, detail: str = "") -> Iterator[None]:
        started, clock = time.time(), time.perf_counter()
        try:
            yield
        except Exception as error:
            self._record(Step(server_id, name, started, time.perf_counter() - clock, "failed", str(error)))
            raise
        self._record(Step(server_id, name, started, time.perf_counter() - clock, "ok", detail))

    # -- toward what is wanted ------------------------------------------------------------------------------

    def has_arrived(self, server: DesiredServer, seen: Domain | None) -> bool:
        """Say whether nothing is left to do, without a call to anything slow."""
        if seen is None:
            return False
        kept = self.folders.read(server.id)
        if server.action and kept.get("action") != server.action[1]:
            return False
        if kept.get("power") != server.power:
            return False
        return seen.power == server.power or self.guest_stopped(server, seen)

    def guest_stopped(self, server: DesiredServer, seen: Domain) -> bool:
        """Say whether a guest that should run has powered itself off since it was last started."""
        return (
            server.power == "running"
            and seen.powered_off_by_guest
            and self.folders.read(server.id).get("power") == "running"
        )

    def reach(self, server: DesiredServer, go_on: Callable[[], bool]) -> None:
        """Do what is needed; `go_on` says no when something newer is wanted. Raises HostError."""
        seen = self.domains.get(server.id)
        action = server.action if server.action and self._kept(server, "action") != server.action[1] else None
        if seen is None:
            self._start(server)
        elif action and server.power == "running":
            self._reboot(server, action[0], go_on)
        elif server.power == "shutdown" and seen.power != "shutdown":
            with self._step(server.id, "remove_power"):
                self.domains.shut_down(server.id, SHUTDOWN_S, go_on)
        elif server.power != "shutdown" and seen.power == "shutdown":
            if not self.guest_stopped(server, seen):
                self._start(server)
        elif server.power == "running" and seen.power == "paused":
            with self._step(server.id, "ensure_running"):
                self.domains.resume(server.id)
        if server.power == "paused":
            with self._step(server.id, "ensure_paused"):
                self.domains.suspend(server.id)
        self.folders.write(
            server.id, power=server.power, **({"action": server.action[1]} if server.action else {})
        )

    def _kept(self, server: DesiredServer, name: str) -> object:
        return self.folders.read(server.id).get(name)

    def _start(self, server: DesiredServer) -> None:
        with self._step(server.id, "ensure_disk"):
            root, backing = self.folders.ensure(server)
            extra = self.folders.extra_disks(server)
            drive = self.folders.config_drive(server)
        with self._step(server.id, "ensure_devices", ", ".join(self.tap(nic.port_id) for nic in server.nics)):
            self._plug(server)
        layout = Layout(
            root_disk=root,
            backing=backing,
            config_drive=drive,
            console_log=self.folders.of(server.id) / "console.log",
            vnc_socket=self.folders.vnc_socket(server.id),
            extra_disks=extra,
            taps={nic.port_id: self.tap(nic.port_id) for nic in server.nics},
            accelerated=self.accelerated,
        )
        with self._step(server.id, "ensure_domain", "KVM" if self.accelerated else "emulated (TCG)"):
            self.domains.define(domain(server, layout))
            if server.power != "shutdown":
                self.folders.vnc_socket(server.id).unlink(missing_ok=True)
                self.domains.start(server.id)
                self.folders.open_consoles(server.id)

    def _plug(self, server: DesiredServer) -> None:
        # Written down first: an agent that dies between a device and its plug must find the device again.
        self.folders.write(server.id, devices=[self.tap(nic.port_id) for nic in server.nics])
        plugs = []
        for nic in server.nics:
            device = self.tap(nic.port_id)
            host.ensure_tap(device, nic.mac, nic.mtu, self.config.compute.qemu_user)
            plugs.append((Plug(device, nic.port_id, server.id), nic.mac))
        self.switch.plug(plugs)

    def _reboot(self, server: DesiredServer, kind: str, go_on: Callable[[], bool]) -> None:
        """Stop and start: a guest that is reset under emulation takes thrice as long to come back."""
        with self._step(server.id, kind):
            if kind == "reboot_soft":
                self.domains.shut_down(server.id, SOFT_REBOOT_S, go_on)
            else:
                self.domains.power_off(server.id)
        self._start(server)

    # -- away with it -----------------------------------------------------------------------------------------

    def remove(self, server_id: str) -> None:
        """Remove everything of a server; its folder last, because while that is there the server is."""
        with self._step(server_id, "remove_domain"):
            self.domains.remove(server_id)
        with self._step(server_id, "remove_devices"):
            plugs = [plug.device for plug in self.switch.plugs() if plug.owner == server_id]
            self._unplug({*plugs, *self.folders.read(server_id).get("devices", ())})
        with self._step(server_id, "remove_disk"):
            self.folders.remove(server_id)

    def _unplug(self, devices: set[str]) -> None:
        self.switch.unplug(devices)
        for device in devices:
            host.remove_device(device)

    def sweep(self, wanted: set[str], images: set[str], busy: set[str]) -> None:
        """Remove what no server owns: devices of servers long gone, images that nothing stands on."""
        owned = wanted | busy | self.folders.ids()
        strays = {
            plug.device
            for plug in self.switch.plugs()
            if plug.device.startswith(self.config.network.device_prefix)
            and not plug.owner.startswith("network:")
            and plug.owner not in owned
        }
        if strays:
            log.info("removing devices without a server", devices=sorted(strays))
            self._unplug(strays)
        self.folders.sweep_cache(images)

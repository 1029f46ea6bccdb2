"""Moves one server of this host to what is wanted of it. Every part may run again after any interruption."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import structlog

from clearsky.agent import host, live
from clearsky.agent.domain_xml import Layout, domain
from clearsky.agent.domain_xml import nic as nic_xml
from clearsky.agent.domains import Domain, Domains
from clearsky.agent.folders import Folders
from clearsky.agent.protocol import DesiredNic, DesiredServer, Step
from clearsky.agent.switch import Plug, Switch
from clearsky.config import Config
from clearsky.engines import prepare

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
        # What a guest leaves to its NIC, the userspace datapath does not do for a tunnel: such packets would be lost.
        self._offloads = not config.several or prepare.datapath(config) != "netdev"

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
        if kept.get("power") != server.power or kept.get("wish", "") != server.wish:
            return False
        if kept.get("ports") != [nic.port_id for nic in server.nics]:
            return False
        return (
            seen.power == server.power
            or self.guest_stopped(server, seen)
            or self.memory_is_lost(server, seen)
        )

    def guest_stopped(self, server: DesiredServer, seen: Domain) -> bool:
        """Say whether a guest that should run has powered itself off since it was last started."""
        return (
            server.power == "running"
            and seen.powered_off_by_guest
            and self.folders.read(server.id).get("power") == "running"
        )

    @staticmethod
    def memory_is_lost(server: DesiredServer, seen: Domain) -> bool:
        """Say whether a server that should be suspended is merely off: nothing can bring its memory back."""
        return server.power == "suspended" and seen.power == "shutdown"

    def reach(self, server: DesiredServer, go_on: Callable[[], bool]) -> None:
        """Do what is needed; `go_on` says no when something newer is wanted. Raises HostError."""
        seen = self.domains.get(server.id)
        kept = self.folders.read(server.id)
        action = server.action if server.action and kept.get("action") != server.action[1] else None
        if seen is not None and self._needs_another_form(server, kept):
            with self._step(server.id, "remove_power", "its form changes"):
                self._switch_off(server, go_on)
            seen = None
        if seen is None:
            self._start(server)
        elif action and server.power == "running":
            self._act(server, action[0], go_on)
        else:
            self._change_power(server, seen, go_on)
        if server.power == "paused":
            with self._step(server.id, "ensure_paused"):
                self.domains.suspend(server.id)
        self._fit_nics(server)
        self._snapshot(server)
        if server.checkpoint is None:
            self.folders.forget_checkpoint(server.id)
        self.folders.write(
            server.id,
            power=server.power,
            wish=server.wish,
            ports=[nic.port_id for nic in server.nics],
            **({"action": server.action[1]} if server.action else {}),
        )

    def _change_power(self, server: DesiredServer, seen: Domain, go_on: Callable[[], bool]) -> None:
        if server.power == "shutdown" and seen.power != "shutdown":
            with self._step(server.id, "remove_power"):
                self._switch_off(server, go_on)
        elif server.power == "suspended" and seen.power in ("running", "paused"):
            with self._step(server.id, "ensure_suspended"):
                live.save(self.domains.known(server.id))
        elif server.power in ("running", "paused") and seen.power in ("shutdown", "suspended"):
            if not self.guest_stopped(server, seen):
                self._start(server)
        elif server.power == "running" and seen.power == "paused":
            with self._step(server.id, "ensure_running"):
                self.domains.resume(server.id)

    def _switch_off(self, server: DesiredServer, go_on: Callable[[], bool]) -> None:
        """Shut down, unless what was on the disk or in memory is given up anyhow."""
        kept = self.folders.read(server.id)
        given_up = kept.get("disk", "") != server.root_disk.token or server.rescue is not None
        if given_up or kept.get("rescue"):
            self.domains.power_off(server.id)
        else:
            self.domains.shut_down(server.id, SHUTDOWN_S, go_on)
        live.forget_saved(self.domains.known(server.id))

    @staticmethod
    def _form(server: DesiredServer) -> list[object]:
        """Return what only a start brings about."""
        rescue = server.rescue.token if server.rescue else ""
        disks = [server.root_disk.token, server.root_disk.size_gib, server.ephemeral_gib, server.swap_mib]
        return [server.vcpus, server.memory_mib, *disks, rescue]

    def _needs_another_form(self, server: DesiredServer, kept: dict[str, Any]) -> bool:
        if server.checkpoint is not None:
            wish, token = server.checkpoint
            if (wish == "keep") != (kept.get("checkpoint", "") == token):
                return True
        return bool(kept.get("form", self._form(server)) != self._form(server))

    def _start(self, server: DesiredServer) -> None:
        with self._step(server.id, "ensure_disk"):
            root, backing = self.folders.ensure(server)
            extra = self.folders.extra_disks(server)
            drive = self.folders.config_drive(server)
            rescue = self.folders.rescue_disk(server)
        with self._step(server.id, "ensure_devices", ", ".join(self.tap(nic.port_id) for nic in server.nics)):
            self._plug(server.id, server.nics)
        layout = Layout(
            root_disk=root,
            backing=backing,
            config_drive=drive,
            console_log=self.folders.of(server.id) / "console.log",
            vnc_socket=self.folders.vnc_socket(server.id),
            extra_disks=extra,
            taps={nic.port_id: self.tap(nic.port_id) for nic in server.nics},
            accelerated=self.accelerated,
            rescue=rescue,
            offloads=self._offloads,
        )
        with self._step(server.id, "ensure_domain", "KVM" if self.accelerated else "emulated (TCG)"):
            self.domains.define(domain(server, layout))
            self.folders.write(server.id, form=self._form(server))
            if server.power in ("running", "paused"):
                self.folders.vnc_socket(server.id).unlink(missing_ok=True)
                self.domains.start(server.id)
                self.folders.open_consoles(server.id)

    def _plug(self, server_id: str, nics: Sequence[DesiredNic]) -> None:
        # Written down first: an agent that dies between a device and its plug must find the device again.
        known = set(self.folders.read(server_id).get("devices", ()))
        self.folders.write(server_id, devices=sorted(known | {self.tap(nic.port_id) for nic in nics}))
        plugs = []
        for nic in nics:
            device = self.tap(nic.port_id)
            host.ensure_tap(device, nic.mac, nic.mtu, self.config.compute.qemu_user)
            plugs.append((Plug(device, nic.port_id, server_id), nic.mac))
        self.switch.plug(plugs)

    def _fit_nics(self, server: DesiredServer) -> None:
        """Give a running guest the NICs that it should have, and take those away that it should not."""
        wanted = {nic.port_id: nic for nic in server.nics}
        seen = self.domains.get(server.id)
        if seen is not None and seen.power in ("running", "paused"):
            handle = self.domains.known(server.id)
            there = live.nics(handle)
            for port_id in there.keys() - wanted.keys():
                with self._step(server.id, "remove_device", self.tap(port_id)):
                    live.detach_nic(handle, port_id, there[port_id])
            for port_id in wanted.keys() - there.keys():
                with self._step(server.id, "ensure_device", self.tap(port_id)):
                    self._plug(server.id, [wanted[port_id]])
                    live.attach(handle, nic_xml(wanted[port_id], self.tap(port_id), offloads=self._offloads))
        devices = {self.tap(port_id) for port_id in wanted}
        if stale := set(self.folders.read(server.id).get("devices", ())) - devices:
            self._unplug(stale)
            self.folders.write(server.id, devices=sorted(devices))

    def _snapshot(self, server: DesiredServer) -> None:
        """Have the copy of the disk that is wanted, and no other."""
        if not server.snapshot:
            self.folders.forget_snapshot(server.id)
            return
        if self.folders.read(server.id).get("snapshot", "") == server.snapshot:
            return
        seen = self.domains.get(server.id)
        with self._step(server.id, "ensure_snapshot"):
            if seen is not None and seen.power in ("running", "paused"):
                target = self.folders.blank_snapshot(server.id)
                live.copy_disk(self.domains.known(server.id), "vda", target)
            else:
                self.folders.copy_for_snapshot(server.id)
            self.folders.hand_over_snapshot(server.id, server.snapshot)

    def _act(self, server: DesiredServer, kind: str, go_on: Callable[[], bool]) -> None:
        if kind == "crash_dump":
            with self._step(server.id, kind):
                live.crash_dump(self.domains.known(server.id))
            return
        # Stop and start: a guest that is reset under emulation takes thrice as long to come back.
        with self._step(server.id, kind):
            if kind == "reboot_soft":
                self.domains.shut_down(server.id, SOFT_REBOOT_S, go_on)
            else:
                self.domains.power_off(server.id)
            live.forget_saved(self.domains.known(server.id))
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

    def sweep(self, wanted: set[str], busy: set[str]) -> None:
        """Remove devices of servers long gone."""
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

"""OVN: the picture is translated into northbound rows, compared with what is there, and the difference is one
transaction. Only rows that carry our key are ever touched.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from ovs.db import idl as ovs_idl
from ovs.stream import Stream
from ovsdbapp.backend.ovs_idl import connection, event, idlutils

from clearsky.config import Config
from clearsky.errors import Unavailable
from clearsky.network.driver.interface import Chassis, OnPorts
from clearsky.network.driver.ovn_chassis import Roll
from clearsky.network.driver.ovn_difference import TABLES, Difference
from clearsky.network.model import Topology
from clearsky.network.ovn.drift import foreign
from clearsky.network.ovn.rows import KEY, Row
from clearsky.network.ovn.trace.copy import Copy
from clearsky.network.ovn.translate import translate

log = structlog.get_logger("ovn")
NORTHDS = ("up", "dynamic_addresses", "ipv6_prefix", "status")
"""Columns that northd writes."""
TIMEOUT_S = 10


class _PortEvent(event.RowEvent):  # type: ignore[misc]
    """Every change of a logical switch port's `up`."""

    def __init__(self, heard: Callable[[str, bool], None]) -> None:
        super().__init__((self.ROW_CREATE, self.ROW_UPDATE), "Logical_Switch_Port", None)
        self.heard = heard

    def run(self, _event: str, row: Any, _old: Any) -> None:
        key = row.external_ids.get(KEY, "")
        if key.startswith("port-"):
            self.heard(key.removeprefix("port-"), bool(row.up and row.up[0]))


class OvnDriver:
    def __init__(self, config: Config) -> None:
        self.remote, self._southbound = config.northbound, config.southbound
        self._options: tuple[str, ...] = ()
        if config.clustered:
            self._options = _speak_tls(config)
        self._folder = config.run
        self._roll: Roll | None = None
        self._lock = threading.Lock()
        self._connection: Any = None
        self._applied: dict[str, Row] | None = None
        """What this process applied last; None where that is not known."""
        self._foreign: list[str] = []
        self._news: dict[str, bool] = {}
        self._disturbed = False
        self._told = threading.Condition()

    # -- the connection -----------------------------------------------------------------------------------------

    def _connect(self) -> Any:
        if self._connection is not None:
            return self._connection
        try:
            helper = idlutils.get_schema_helper(self.remote, "OVN_Northbound")
            for table in (*TABLES, "NB_Global"):
                helper.register_table(table)
            idl = _Idl(self.remote, helper, self._touched)
            idl.notify_handler.watch_event(_PortEvent(self._heard))
            found = connection.Connection(idl, timeout=TIMEOUT_S)
            found.start()
            idl.own = False
        except Exception as error:
            raise Unavailable(
                f"OVN's northbound database at {self.remote} cannot be reached: {error}"
            ) from error
        self._connection = found
        return found

    def apply(self, topology: Topology) -> list[str]:
        """Bring the northbound database in line with the topology; returns what was written."""
        wanted = translate(topology)
        with self._lock:
            before, self._applied, self._foreign = self._applied, None, []
            connected = self._connect()
            changes: list[str] = self._do(connected, _Commit(connected.idl, wanted))
            self._applied, self._foreign = wanted, foreign(before, wanted, changes)
        return changes

    def drifted(self) -> list[str]:
        """Return what of the last application's changes somebody else had made necessary."""
        return self._foreign

    def _do(self, connected: Any, work: Any) -> Any:
        """Let the connection's own thread, the only one that may touch the IDL, do something."""
        connected.queue_txn(work)
        try:
            done = work.results.get(timeout=TIMEOUT_S)
        except queue.Empty:
            raise Unavailable(
                f"OVN's northbound database at {self.remote} did not answer in {TIMEOUT_S} s"
            ) from None
        problem = getattr(done, "ex", None)
        if isinstance(problem, Unavailable):
            raise problem
        if problem is not None:
            raise Unavailable(f"OVN's northbound database: {problem}")
        return done

    def chassis(self) -> list[Chassis]:
        """Return the chassis that the southbound database knows; those that live answer a probe now and then."""
        with self._lock:
            connected = self._connect()
            try:
                self._roll = self._roll or Roll(self._southbound, TIMEOUT_S)
            except Exception as error:
                raise Unavailable(
                    f"OVN's southbound database at {self._southbound} cannot be reached: {error}"
                ) from error
            number = self._do(connected, _Probe(connected.idl)) if self._roll.due else None
        return self._roll.call(number)

    def look(self) -> Copy:
        """Copy the databases, to follow packets through them."""
        return Copy(self.remote, self._southbound, self._folder, self._options)

    def watch(self, on_ports: OnPorts, on_change: Callable[[], None] | None = None) -> Callable[[], None]:
        """Tell `on_ports` which ports are up, in batches, and `on_change` that somebody else has changed our rows."""
        stop = threading.Event()

        def tell() -> None:
            while not stop.is_set():
                with self._told:
                    self._told.wait_for(
                        lambda: bool(self._news) or self._disturbed or stop.is_set(), timeout=5
                    )
                    news, self._news = self._news, {}
                    disturbed, self._disturbed = self._disturbed, False
                if not news and not disturbed:
                    self._try_connect()
                    continue
                try:
                    if news:
                        on_ports(news)
                    if disturbed and on_change is not None:
                        on_change()
                except Exception:
                    log.exception("what the engine tells could not be written; trying again")
                    with self._told:
                        self._news, self._disturbed = news | self._news, disturbed
                    time.sleep(1)

        threading.Thread(target=tell, daemon=True).start()
        return stop.set

    def _try_connect(self) -> None:
        try:
            with self._lock:
                self._connect()
        except Unavailable as error:
            log.warning("waiting for OVN", error=error.message)

    def _touched(self) -> None:
        with self._told:
            self._disturbed = True
            self._told.notify()

    def _heard(self, port_id: str, up: bool) -> None:
        with self._told:
            self._news[port_id] = up
            self._told.notify()


def _speak_tls(config: Config) -> tuple[str, ...]:
    """Let this process speak to a cluster's databases as the control plane; returns how OVSDB's programs do."""
    place = config.state / "tls"
    key, certificate = place / "agents.key", place / "agents.pem"
    known = config.state / "hosts" / "databases.pem"
    Stream.ssl_set_private_key_file(str(key))
    Stream.ssl_set_certificate_file(str(certificate))
    Stream.ssl_set_ca_cert_file(str(known))
    return (
        "--no-leader-only",
        f"--private-key={key}",
        f"--certificate={certificate}",
        f"--ca-cert={known}",
    )


class _Idl(connection.OvsdbIdl):  # type: ignore[misc]
    """An IDL that hands its changes to a row event handler, and says when a row of ours changes by somebody else's hand."""

    def __init__(self, remote: str, schema: Any, touched: Callable[[], None]) -> None:
        super().__init__(remote, schema)
        self.notify_handler = event.RowEventHandler()
        self.own = True
        """What comes in is what we do, or read for the first time."""
        self._touched = touched

    def notify(self, event: str, row: Any, updates: Any = None) -> None:
        self.notify_handler.notify(event, row, updates)
        if not self.own and row._table.name in TABLES and KEY in row.external_ids:  # noqa: SLF001 - no public name
            columns = row._table.columns  # noqa: SLF001
            if updates is None or any(hasattr(updates, name) for name in columns if name not in NORTHDS):
                self._touched()


class _Commit:
    """A difference for the connection's own thread."""

    def __init__(self, idl: Any, wanted: dict[str, Row]) -> None:
        self.idl, self.wanted = idl, wanted
        self.results: queue.Queue[Any] = queue.Queue(1)

    def do_commit(self) -> list[str]:
        self.idl.own = True
        try:
            return Difference(self.idl, self.wanted).commit()
        finally:
            self.idl.own = False


class _Probe:
    """The next number that every chassis is to copy."""

    def __init__(self, idl: Any) -> None:
        self.idl = idl
        self.results: queue.Queue[Any] = queue.Queue(1)

    def do_commit(self) -> int:
        txn = ovs_idl.Transaction(self.idl)
        row = next(iter(self.idl.tables["NB_Global"].rows.values()))
        number = int(row.nb_cfg) + 1
        row.nb_cfg = number
        status = txn.commit_block()
        if status in (txn.SUCCESS, txn.UNCHANGED):
            return number
        raise Unavailable(f"OVN's northbound database refused a probe ({status}): {txn.get_error()}")

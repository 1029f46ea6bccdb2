"""What has to change in the northbound database so that it holds exactly the rows that are wanted."""

from __future__ import annotations

from typing import Any

from ovs.db import idl as ovs_idl

from clearsky.errors import Unavailable
from clearsky.network.ovn.rows import KEY, Row

TABLES = ("Logical_Switch", "Logical_Switch_Port", "Logical_Router", "Logical_Router_Port", "Logical_Router_Static_Route",
          "NAT", "DHCP_Options", "Port_Group", "Address_Set", "ACL", "Gateway_Chassis", "DNS",
          "Load_Balancer", "QoS", "Logical_Router_Policy")  # fmt: skip


class Difference:
    """What has to change so that the database holds `wanted`, in one transaction."""

    def __init__(self, idl: Any, wanted: dict[str, Row]) -> None:
        self.idl, self.wanted = idl, wanted
        self.have: dict[str, Any] = {}
        self.extra: list[Any] = []
        self.changes: list[str] = []
        for table in TABLES:
            for row in idl.tables[table].rows.values():
                key = key_of(row)
                if key is None:
                    continue
                if key in self.have or key not in wanted or wanted[key].table != table:
                    self.changes.append(f"- {table} {key}")
                    self.extra.append(row)
                else:
                    self.have[key] = row
        self.known = {row.uuid for row in self.have.values()}

    def commit(self) -> list[str]:
        txn = ovs_idl.Transaction(self.idl)
        rows = {key: self.have.get(key) or self._insert(txn, key) for key in self.wanted}
        for key, want in self.wanted.items():
            self._columns(rows[key], want)
            for column, keys in want.refs.items():
                self._refer(rows[key], want, column, [rows[one] for one in keys])
        self._children(rows)
        for row in self.extra:
            row.delete()
        if not self.changes:
            txn.abort()
            return []
        status = txn.commit_block()
        if status in (txn.SUCCESS, txn.UNCHANGED):
            return self.changes
        raise Unavailable(
            f"OVN's northbound database refused the change ({status}): {txn.get_error() or 'it will be tried again'}"
        )

    def _insert(self, txn: Any, key: str) -> Any:
        self.changes.append(f"+ {self.wanted[key].table} {key}")
        return txn.insert(self.idl.tables[self.wanted[key].table])

    def _columns(self, row: Any, want: Row) -> None:
        fresh = want.key not in self.have
        for column, value in want.columns.items():
            if fresh or _seen(row, column) != _plain(value):
                if not fresh:
                    self._note(want, column)
                setattr(row, column, value)
        if not fresh:
            for column in _REFERS.get(want.table, ()):
                if column not in want.refs and _datum(row, column).values:
                    self._note(want, column)
                    setattr(row, column, [])

    def _note(self, want: Row, column: str) -> None:
        self.changes.append(f"~ {want.table} {want.key} {column}")

    def _refer(self, row: Any, want: Row, column: str, targets: list[Any]) -> None:
        wanted = {target.uuid for target in targets}
        have = _referred(row, column) if row.uuid in self.known else None
        if have != wanted:
            if have is not None:
                self._note(want, column)
            setattr(row, column, targets)

    def _children(self, rows: dict[str, Any]) -> None:
        """Give each parent the children that are wanted; others of ours fall out with that."""
        wanted: dict[tuple[str, str], list[Any]] = {}
        for key, want in self.wanted.items():
            if want.parent is not None:
                wanted.setdefault(want.parent, []).append(rows[key])
        gone = {row.uuid for row in self.extra}
        for key, want in self.wanted.items():
            for column in _HOLDS.get(want.table, ()):
                children = wanted.get((key, column), [])
                if key not in self.have:
                    if children:
                        setattr(rows[key], column, children)
                    continue
                have = _referred(rows[key], column)
                new = {child.uuid for child in children}
                if have == new and not have & gone:
                    continue
                foreign = [child for child in getattr(rows[key], column) if key_of(child) is None]
                if have - {child.uuid for child in foreign} != new or have & gone:
                    self._note(want, column)
                    setattr(rows[key], column, [*children, *foreign])


_REFERS = {
    "Logical_Switch_Port": ("dhcpv4_options", "dhcpv6_options"),
    "Logical_Router": ("load_balancer",),
    "NAT": ("gateway_port",),
}
"""Columns of references that are to be empty where none is wanted."""
_HOLDS = {
    "Logical_Switch": ("ports", "dns_records", "qos_rules"),
    "Logical_Router": ("ports", "static_routes", "nat", "policies"),
    "Logical_Router_Port": ("gateway_chassis",),
    "Port_Group": ("acls",),
}


# What the library would make of a column by its attribute costs a copy of it, twice: a comparison reads what is there.


def _datum(row: Any, column: str) -> Any:
    return row._data[column]  # noqa: SLF001


def key_of(row: Any) -> str | None:
    """Return the key of a row of ours; None for one of somebody else's."""
    for name, value in _datum(row, "external_ids").values.items():
        if name.value == KEY:
            return str(value.value)
    return None


def _referred(row: Any, column: str) -> set[Any]:
    """Return the UUIDs of the rows that a column refers to."""
    return {atom.value for atom in _datum(row, column).values}


def _seen(row: Any, column: str) -> Any:
    """Return what is in a column, as `_plain` makes it of what is wanted."""
    datum = _datum(row, column)
    if datum.type.is_map():
        return {str(name.value): str(value.value) for name, value in datum.values.items()}
    found = sorted(str(atom.value) for atom in datum.values)
    return [] if found == [""] and datum.type.is_scalar() else found


def _plain(value: Any) -> Any:
    """Make a column comparable: sets have no order, optional values are lists of at most one."""
    if isinstance(value, list):
        return sorted(map(str, value))
    if isinstance(value, dict):
        return {str(key): str(item) for key, item in value.items()}
    return [str(value)] if value not in ("", None) else []

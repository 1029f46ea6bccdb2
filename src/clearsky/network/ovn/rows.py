"""Northbound rows as plain data: a table, a key that names the row across runs, and columns.

Rows refer to each other by key. Everything we make carries its key in external_ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

KEY = "clearsky"


@dataclass(frozen=True, slots=True)
class Row:
    table: str
    key: str
    columns: dict[str, Any]
    parent: tuple[str, str] | None = None
    """(key of the row that holds it, that row's column): OVN keeps no row that nothing refers to."""
    refs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Column -> keys of the rows it refers to (weak or strong references that are not parents)."""

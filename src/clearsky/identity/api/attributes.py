"""What clients send, split into columns, options, and what only they know: kept in `extra`, shown as it came."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from clearsky.errors import Forbidden

Body = dict[str, Any]


def others(body: Body, known: Collection[str], before: Any = None) -> Body:
    """Return the `extra` of a row: what it had, and what the body has beside the known names."""
    kept: Body = (before.extra or {}) if before is not None else {}
    return kept | {name: value for name, value in body.items() if name not in known}


def options(body: Body, before: Any = None) -> Body:
    """Return the options of a row: those it had with the body's over them; None takes one away."""
    kept: Body = (before.options or {}) if before is not None else {}
    changed = kept | (body.get("options") or {})
    return {name: value for name, value in changed.items() if value is not None}


def refuse_immutable(row: Any, what: str, body: Body | None = None) -> None:
    """Raise Forbidden where the row's option `immutable` forbids the change, or (without a body) the deletion.

    The one change that is allowed is to take that option away, and nothing else with it.
    """
    if not (row.options or {}).get("immutable"):
        return
    how = f"`{row.id}`: set its option `immutable` to false first."
    if body is None:
        raise Forbidden(f"Unable to delete immutable {what} resource {how}")
    unlocking = (body.get("options") or {}).get("immutable", True) in (False, None)
    if set(body) != {"options"} or not unlocking:
        raise Forbidden(f"Unable to update immutable {what} resource {how}")

"""Which of the differences that were mended somebody else had made: those that no change of ours explains."""

from __future__ import annotations

from clearsky.network.ovn.rows import Row


def foreign(before: dict[str, Row] | None, wanted: dict[str, Row], changes: list[str]) -> list[str]:
    """Return the changes (`+ TABLE KEY`, `- TABLE KEY`, `~ TABLE KEY COLUMN`) that the step from `before` to `wanted`
    does not ask for; none where it is not known what was there before.
    """
    if before is None or not changes:
        return []
    moved = {key for key in before.keys() | wanted.keys() if before.get(key) != wanted.get(key)}
    for key in tuple(moved):
        for rows in (before, wanted):
            row = rows.get(key)
            if row is not None and row.parent is not None:
                moved.add(row.parent[0])  # its column of children changes with them
    return [change for change in changes if change.split(" ")[2] not in moved]

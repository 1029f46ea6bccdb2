"""How much a project may have in the Image service: unified limits, counted in the transaction that adds.

Names are upstream's: they are what operators register as limits of the service.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection

from clearsky.db.engine import lock
from clearsky.errors import TooLarge
from clearsky.house import House
from clearsky.identity import service as identity
from clearsky.image.store import usage as store

COUNT_TOTAL = "image_count_total"
COUNT_UPLOADING = "image_count_uploading"
SIZE_TOTAL = "image_size_total"
STAGE_TOTAL = "image_stage_total"
NAMES = (SIZE_TOTAL, STAGE_TOTAL, COUNT_TOTAL, COUNT_UPLOADING)
"""Sizes are in MiB."""
UNLIMITED = -1


def limits(house: House, project_id: str | None, names: Iterable[str] = NAMES) -> dict[str, int]:
    """Return, of the names, those that the project has a limit of. Images without an owner are nobody's to count."""
    if project_id is None:
        return {}
    return identity.project_limits(house, project_id, "image", names)


def enforce(
    c: Connection, project_id: str | None, allowed: Mapping[str, int], more: Mapping[str, int]
) -> None:
    """Raise TooLarge where a project would have more than `allowed`; call it before the row is added.

    Two requests of one project count one after the other.
    """
    bounded = {name: most for name, most in allowed.items() if most != UNLIMITED}
    if project_id is None or not bounded:
        return
    lock(c, f"image.quotas.{project_id}")
    used = usage(c, project_id)
    for name, most in bounded.items():
        if used[name] + more[name] > most:
            raise TooLarge(
                f"The project's limit {name} is {most}; {used[name]} are in use and {more[name]} more were asked for."
            )


def usage(c: Connection, project_id: str) -> dict[str, int]:
    """Return what a project has of each name."""
    found = store.usage(c, project_id)
    return {
        SIZE_TOTAL: found.stored_bytes >> 20,
        STAGE_TOTAL: found.staged_bytes >> 20,
        COUNT_TOTAL: found.images,
        COUNT_UPLOADING: found.uploading,
    }


def report(c: Connection, project_id: str, allowed: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Return usage and limit of each name."""
    used = usage(c, project_id)
    return {name: {"usage": used[name], "limit": allowed.get(name, UNLIMITED)} for name in NAMES}

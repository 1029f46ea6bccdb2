"""Where the house is put together: which services there are, and what each process runs of them."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp

from clearsky.api.app import App
from clearsky.api.routing import Service
from clearsky.config import Config
from clearsky.db import Database
from clearsky.house import House
from clearsky.work.bell import Bell
from clearsky.work.reconcile import Reconciler

SERVICES = ("identity", "placement", "image", "network", "compute")
"""In the order of their dependence; each has the rooms of docs/architecture.md."""


def open_house(config: Config) -> House:
    """Connect to the database and let every commit ring the bell of this machine."""
    house = House(config, Database(config.database_url))
    bell = Bell(config.run)
    house.db.after_commit(bell.ring)
    house.on_close.append(bell.close)
    return house


def services(names: Iterable[str] = SERVICES) -> list[Service]:
    return [importlib.import_module(f"clearsky.{name}.api").SERVICE for name in names]


def api(house: House, names: Iterable[str] = SERVICES, mounts: Mapping[str, ASGIApp] | None = None) -> App:
    """Assemble the one ASGI app of all APIs."""
    from clearsky.identity import service as identity  # noqa: PLC0415 - not every process needs it

    return App(house, services(names), identity.validate, mounts)


def _rooms(names: Iterable[str]) -> list[Any]:
    return [importlib.import_module(f"clearsky.{name}.reconcile") for name in names if _has_reconcilers(name)]


def _has_reconcilers(name: str) -> bool:
    return importlib.util.find_spec(f"clearsky.{name}.reconcile") is not None


def reconcilers(names: Iterable[str] = SERVICES) -> dict[str, Reconciler]:
    """Return every service's reconcilers by the kind of work they do."""
    found: dict[str, Reconciler] = {}
    for room in _rooms(names):
        found |= room.RECONCILERS
    return found


def slow(names: Iterable[str] = SERVICES) -> list[str]:
    """Return the kinds of work that may take minutes."""
    return [kind for room in _rooms(names) for kind in getattr(room, "SLOW", ())]


def periodic(names: Iterable[str] = SERVICES) -> list[str]:
    """Return the kinds of work that are always on the queue: comparisons of everything, clean-ups."""
    return [kind for room in _rooms(names) for kind in getattr(room, "PERIODIC", ())]

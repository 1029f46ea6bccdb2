"""Every service's tables, imported into one metadata: for migrations and tests only."""

from __future__ import annotations

import importlib
import importlib.util

from sqlalchemy import MetaData

from clearsky.db.types import metadata

OWNERS = ("work", "identity", "placement", "image", "network", "compute")


def load_all() -> MetaData:
    """Import each owner's table definitions and return the common metadata."""
    for owner in OWNERS:
        importlib.import_module(f"clearsky.{owner}.tables")
    return metadata

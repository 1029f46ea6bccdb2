"""All SQL of the Identity service, a module a subject; here what every subject needs."""

from __future__ import annotations

from clearsky.identity.store.kit import (
    AnyRow,
    bump,
    change,
    create,
    current_revision,
    find,
    get,
    keep_references,
    listing,
    revision,
)

__all__ = [
    "AnyRow",
    "bump",
    "change",
    "create",
    "current_revision",
    "find",
    "get",
    "keep_references",
    "listing",
    "revision",
]

"""All SQL of the Image service. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

from clearsky.image.store.images import change, create, forget, get, listing, move, shared_with, visible
from clearsky.image.store.members import add_member, member, members, remove_member, set_member

__all__ = [
    "add_member",
    "change",
    "create",
    "forget",
    "get",
    "listing",
    "member",
    "members",
    "move",
    "remove_member",
    "set_member",
    "shared_with",
    "visible",
]

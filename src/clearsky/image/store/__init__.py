"""All SQL of the Image service. `scope` is the project that asks; None sees everything."""

from __future__ import annotations

from clearsky.image.store.images import change, create, forget, get, move, shared_with, visible
from clearsky.image.store.members import add_member, member, members, remove_member, set_member
from clearsky.image.store.search import Wanted, search

__all__ = [
    "Wanted",
    "add_member",
    "change",
    "create",
    "forget",
    "get",
    "member",
    "members",
    "move",
    "remove_member",
    "search",
    "set_member",
    "shared_with",
    "visible",
]

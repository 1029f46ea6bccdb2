"""The names that every OpenStack knows: standard traits and resource classes (os-traits 3.9, os-resource-classes 1.1)."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

CUSTOM = "CUSTOM_"
NAME = re.compile(r"[A-Z0-9_]{1,255}")
SHARING = "MISC_SHARES_VIA_AGGREGATE"
"""A provider with this trait serves the trees with which it shares an aggregate."""


@cache
def _names(file: str) -> tuple[str, ...]:
    return tuple((Path(__file__).with_name(file)).read_text(encoding="ascii").split())


def traits() -> tuple[str, ...]:
    return _names("traits.txt")


def classes() -> tuple[str, ...]:
    """Return the standard resource classes in the order of their numbers."""
    return _names("classes.txt")

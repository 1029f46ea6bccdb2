"""Words of tenants on a terminal."""

from __future__ import annotations


def plain(text: str) -> str:
    """Return a text without what could move a terminal's cursor or colour what follows."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)

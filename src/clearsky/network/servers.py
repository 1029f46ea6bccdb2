"""Servers as Network knows them: by what Compute tells it. Network stands below Compute and may not ask it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class Directory:
    find: Callable[[Connection, str | None, str], list[str]]
    """(scope, id or name) -> ids of the servers that may be meant."""
    names: Callable[[Connection, Iterable[str]], dict[str, str]]
    """ids -> names, of those that there are."""


_directories: list[Directory] = []


def tell(directory: Directory) -> None:
    """Let Network find servers and call them by their names."""
    if directory not in _directories:
        _directories.append(directory)


def find(c: Connection, scope: str | None, word: str) -> list[str]:
    return [id for directory in _directories for id in directory.find(c, scope, word)]


def names(c: Connection, ids: Iterable[str]) -> dict[str, str]:
    wanted = list(ids)
    found: dict[str, str] = {}
    for directory in _directories if wanted else ():
        found |= directory.names(c, wanted)
    return found

"""The transactions of routes that change something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from clearsky.api.call import Call
from clearsky.identity import store


@contextmanager
def writing(call: Call) -> Iterator[Connection]:
    """Yield a write transaction in which nothing that it finds is deleted by another one."""
    with call.house.db.write() as c:
        store.keep_references(c, deleting=call.method == "DELETE")
        yield c

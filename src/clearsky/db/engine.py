"""The database engine: one for SQLite (WAL) and PostgreSQL, with short read and write transactions.

No transaction is ever held across a driver call. SQLite has one writer: write transactions begin IMMEDIATE, and
the threads of one process queue on a lock instead of in SQLite's busy handler, which is unfair and slow.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text


class Database:
    """A pool of connections; `read()` and `write()` are the only two ways in."""

    def __init__(self, url: str, *, pool_size: int = 24) -> None:
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self._writer = threading.Lock() if self.sqlite else nullcontext()
        self._after_commit: list[Callable[[set[str]], None]] = []
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 8}
        if self.sqlite:
            options["connect_args"] = {"timeout": 30, "check_same_thread": False}
        self.engine: Engine = create_engine(url, **options)
        if self.sqlite:
            event.listen(self.engine, "connect", _prepare_sqlite)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection in a read transaction: one consistent picture."""
        with self.engine.connect() as connection:
            if self.sqlite:
                _begin(connection, "BEGIN")
            yield connection
            connection.rollback()

    def value(self, statement: str) -> Any:
        """Return the one value of a constant SELECT, committed this moment; None where there is no row.

        For what every request asks: by the driver itself, at a quarter of the cost of a read transaction.
        """
        connection = self.engine.raw_connection()
        try:
            with _alone(connection.driver_connection, self.sqlite):
                cursor = connection.cursor()
                try:
                    cursor.execute(statement)
                    row = cursor.fetchone()
                finally:
                    cursor.close()
        finally:
            connection.close()
        return None if row is None else row[0]

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a write transaction; commits at the end, rolls back on an exception.

        `wake(connection, topic)` inside it rings the bell for `topic` after the commit.
        """
        topics: set[str] = set()
        with self._writer, self.engine.connect() as connection:
            if self.sqlite:
                _begin(connection, "BEGIN IMMEDIATE")
            connection.info["wake"] = topics
            try:
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
            finally:
                connection.info.pop("wake", None)
        if topics:
            for listener in self._after_commit:
                listener(topics)

    def after_commit(self, listener: Callable[[set[str]], None]) -> None:
        """Call `listener(topics)` after each commit that woke somebody."""
        self._after_commit.append(listener)

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def _alone(driver: Any, sqlite: bool) -> Iterator[None]:
    """Keep PostgreSQL's driver from a transaction around a statement: two more ways there and back."""
    if sqlite:
        yield
        return
    driver.autocommit = True
    try:
        yield
    finally:
        driver.autocommit = False


def _begin(connection: Connection, statement: str) -> None:
    """Begin a transaction by the driver itself: SQLAlchemy's way to it takes as long as a small query."""
    cursor = connection.connection.cursor()
    cursor.execute(statement)
    cursor.close()


def wake(connection: Connection, topic: str) -> None:
    """Ring the bell for `topic` once this write transaction has been committed."""
    connection.info["wake"].add(topic)


def lock(connection: Connection, name: str, *, shared: bool = False) -> None:
    """Serialize write transactions that lock the same name, until they end (SQLite writes are serial already).

    Those that lock it `shared` exclude only the others.
    """
    if connection.dialect.name == "postgresql":
        function = "pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock"
        connection.execute(text(f"SELECT {function}(:key)"), {"key": zlib.crc32(name.encode())})


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Transactions are begun explicitly: Python's own implicit BEGIN is DEFERRED and deadlocks on upgrade.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-8000",
        "temp_store=MEMORY",
        "case_sensitive_like=ON",  # as PostgreSQL
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()

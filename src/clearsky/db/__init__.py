"""State: the engine, transactions, column types and keyset paging."""

from clearsky.db.engine import Database
from clearsky.db.types import Json, Timestamp, metadata

__all__ = ["Database", "Json", "Timestamp", "metadata"]

"""Migrations: one linear Alembic history for the whole house, run by `clearsky up`."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig

from clearsky.config import Config


def _alembic(url: str) -> AlembicConfig:
    alembic = AlembicConfig()
    alembic.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    alembic.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    return alembic


def upgrade(config: Config) -> None:
    """Bring the database to the newest revision; does nothing where it is there already."""
    command.upgrade(_alembic(config.database_url), "head")


def revise(url: str, message: str, number: str) -> None:
    """Write a new revision from the difference between the tables in the code and the database at `url`."""
    command.revision(_alembic(url), message, autogenerate=True, rev_id=number)

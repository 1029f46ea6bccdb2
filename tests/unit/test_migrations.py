"""The history of migrations leads to the tables that the code has."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from clearsky import config
from clearsky.db import migrate
from clearsky.db.tables import load_all


def test_the_newest_revision_has_the_tables_of_the_code(tmp_path):
    settings = config.parse({"cloud": {"state_dir": str(tmp_path)}})
    migrate.upgrade(settings)
    migrate.upgrade(settings)
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        difference = compare_metadata(MigrationContext.configure(connection), load_all())
    engine.dispose()
    assert difference == []

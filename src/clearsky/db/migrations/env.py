from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, create_engine, text

from clearsky.db.tables import load_all


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=load_all(),
        render_as_batch=connection.dialect.name == "sqlite",
        user_module_prefix="clearsky.db.types.",
    )
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            # Two processes that start at once must not both migrate.
            connection.execute(text("SELECT pg_advisory_xact_lock(727001)"))
        context.run_migrations()


engine = create_engine(str(context.config.get_main_option("sqlalchemy.url")))
with engine.connect() as connection:
    run(connection)
engine.dispose()

"""Runs migrations, one process at a time."""

import logging.config

from alembic import context
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app import logs, settings
from app.items import metadata

# Any number will do, as long as nothing else in the database locks it.
LOCK = 7205759403792793

# A migration that waits for a table lock makes everyone behind it wait too.
LOCK_TIMEOUT = "10s"


def run() -> None:
    """Migrates; a failure is one line, the last one in the log."""
    logging.config.dictConfig(logs.config("INFO"))
    try:
        migrate(settings.database_url())
    except settings.SettingsError as error:
        raise CommandError(str(error)) from None
    except DBAPIError as error:
        message = f"{error.orig} [{error.statement or 'connect'}]"
        raise CommandError(" ".join(message.split())) from None


def migrate(url: URL) -> None:
    """Migrates in one transaction, which also holds the lock."""
    # The URL is not passed through alembic.ini, where % has a meaning.
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": 10})
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
            context.run_migrations()


run()

"""Runs migrations, one process at a time."""

import logging.config

from alembic import command, context
from alembic.util import CommandError
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app import logs, settings
from app.database import VANISHED_CLIENT, VANISHED_SERVER
from app.items import metadata

# Any number will do, as long as nothing else in the database locks it.
LOCK = 7205759403792793

# A migration that waits for a table lock makes everyone behind it wait too.
LOCK_TIMEOUT = "10s"

# One that does nothing inside its transaction holds its locks for nothing.
IDLE_TIMEOUT = "60s"

log = logging.getLogger("migrations")


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
    options = f"{VANISHED_CLIENT} -c lock_timeout={LOCK_TIMEOUT} -c idle_in_transaction_session_timeout={IDLE_TIMEOUT}"
    engine = create_engine(url, poolclass=NullPool, connect_args={
        "application_name": "migration", "connect_timeout": 10, "options": options, **VANISHED_SERVER})
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
            if not is_newer():
                context.run_migrations()


def is_newer() -> bool:
    """Tells whether a newer image has migrated the database, as after a rollback of this one.

    Its schema is one that this image runs on, so `upgrade` has nothing to do
    and succeeds. Any other command goes on, and alembic refuses it.
    """
    known = {script.revision for script in context.script.walk_revisions()}
    unknown = sorted(set(context.get_context().get_current_heads()) - known)
    if not unknown or not is_upgrade():
        return False
    log.warning("the database is at revision %s, which this image doesn't have: nothing is changed", ", ".join(unknown))
    return True


def is_upgrade() -> bool:
    options = context.config.cmd_opts
    return options is not None and options.cmd[0] is command.upgrade


run()

"""A connection pool for an event loop, made for a database that restarts."""

import asyncio
import contextvars
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Callable, TypeVar

from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, URL
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

log = logging.getLogger(__name__)

T = TypeVar("T")

# A host that vanished sends no reset: found within seconds rather than after
# the kernel's fifteen minutes. On this side, as arguments of the driver:
VANISHED_SERVER = {"keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 5000}

# On the server's side, as settings of the session: the statement ends, and
# its locks and its connection are free again.
VANISHED_CLIENT = (
    "-c client_connection_check_interval=2s"
    " -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=3 -c tcp_keepalives_count=3 -c tcp_user_timeout=20s"
)


class Unavailable(Exception):
    """The database did not do what was asked; asking again later is safe."""


class OutcomeUnknown(Exception):
    """A write was sent, and no answer came: it may or may not be committed."""


class _ConnectionLost(Exception):
    """The connection broke after the statement had been sent."""


class Database:
    """Runs blocking work on pooled connections, each call within a deadline.

    There are as many worker threads as connections, so that work waits in one
    queue only, and what still waits when its deadline comes never runs.
    """

    def __init__(self, url: URL, *, size: int, connect_timeout: int, statement_timeout: float, deadline: float):
        self._size = size
        self._deadline = deadline
        self._workers = ThreadPoolExecutor(size, thread_name_prefix="database")
        self._engine = create_engine(
            url,
            pool_size=size,
            # For `fill` alone, which must not wait for requests nor they for
            # it: each worker takes one connection at most.
            max_overflow=size,
            # A connection is tried before it is used, and replaced when the
            # database was restarted since: before the statement is sent, so
            # that this is safe for writes too.
            pool_pre_ping=True,
            # Each request is one statement, which is a transaction of its own.
            isolation_level="AUTOCOMMIT",
            connect_args={
                "application_name": socket.gethostname(),
                "connect_timeout": connect_timeout,
                "options": f"{VANISHED_CLIENT} -c statement_timeout={int(statement_timeout * 1000)}",
                **VANISHED_SERVER,
            },
        )

    def fill(self) -> None:
        """Opens every connection in the background.

        A full pool goes on serving while the password is being rotated, when
        the one that this process knows is no longer good for new connections.
        """
        self._workers.submit(self._open_all)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Runs idempotent work; once more if the connection broke under it."""
        try:
            return await self._within_deadline(partial(self._read, work))
        except asyncio.TimeoutError:
            raise Unavailable("no answer in time") from None

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Runs work that is never repeated once it may have been committed."""
        try:
            return await self._within_deadline(partial(self._once, work))
        except (_ConnectionLost, asyncio.TimeoutError) as error:
            raise OutcomeUnknown(str(error) or "no answer in time") from error

    def close(self) -> None:
        """Closes the connections; work that runs still finishes."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    async def _within_deadline(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        in_context = contextvars.copy_context().run  # log lines keep the request's id
        return await asyncio.wait_for(loop.run_in_executor(self._workers, in_context, call), self._deadline)

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            return self._once(work)
        except _ConnectionLost as error:
            log.info("read again after a lost connection: %s", error)
        try:
            return self._once(work)
        except _ConnectionLost as error:
            raise Unavailable(str(error)) from error

    def _once(self, work: Callable[[Connection], T]) -> T:
        with self._connect() as connection:
            try:
                return work(connection)
            except DBAPIError as error:
                if error.connection_invalidated:
                    raise _ConnectionLost(_reason(error)) from error
                if isinstance(error, OperationalError):  # a timeout, a full disk
                    raise Unavailable(_reason(error)) from error
                raise

    def _connect(self) -> Connection:
        try:
            return self._engine.connect()
        except (OperationalError, InterfaceError) as error:
            raise Unavailable(_reason(error)) from error

    def _open_all(self) -> None:
        connections = []
        try:
            for _ in range(self._size):
                connections.append(self._connect())
        except Unavailable as error:
            log.warning("database not reachable yet: %s", error)
        finally:
            for connection in connections:
                connection.close()


def _reason(error: DBAPIError) -> str:
    # The driver's own message: SQLAlchemy's would repeat statement and values.
    return " ".join(str(error.orig).split())

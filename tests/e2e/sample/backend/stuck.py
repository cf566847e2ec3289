"""Locks the orders and goes on for ever, with a driver that has nothing of libpq: SIGTERM doesn't end it."""

import asyncio
import os
import signal
import ssl

import asyncpg


async def main():
    # The driver reads PGHOST and its like from the environment.
    connection = await asyncpg.connect(ssl=ssl.create_default_context(cafile=os.environ["PGSSLROOTCERT"]))
    async with connection.transaction():
        await connection.execute("lock table orders in access exclusive mode")
        await connection.execute("select pg_sleep(3600)")


signal.signal(signal.SIGTERM, signal.SIG_IGN)
asyncio.run(main())

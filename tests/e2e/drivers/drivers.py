"""Connects as each row of the table of drivers in docs/reference/app.md does. Prints its name and whether TLS is used."""

import asyncio
import os
import sys

import asyncpg
import psycopg
import psycopg2
from sqlalchemy import create_engine, text
from sqlalchemy.ext.asyncio import create_async_engine

URL = os.environ["DATABASE_URL"]
BARE = URL.partition("?")[0]  # what SQLAlchemy with asyncpg wants
SQL = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
PARTS = {
    "host": os.environ["DB_HOST"], "port": os.environ["DB_PORT"], "user": os.environ["DB_USER"], "password": os.environ["DB_PASSWORD"],
}


def with_psycopg(module, *url, **parts):
    connection = module.connect(*url, **parts)
    cursor = connection.cursor()
    cursor.execute(SQL)
    return cursor.fetchone()[0]


def with_asyncpg(*url, **parts):
    async def run():
        connection = await asyncpg.connect(*url, **parts)
        return await connection.fetchval(SQL)
    return asyncio.run(run())


def with_sqlalchemy(url):
    with create_engine(url).connect() as connection:
        return connection.execute(text(SQL)).scalar()


def with_async_sqlalchemy(url):
    async def run():
        async with create_async_engine(url).connect() as connection:
            return (await connection.execute(text(SQL))).scalar()
    return asyncio.run(run())


WAYS = {
    "psycopg": lambda: with_psycopg(psycopg, URL),
    "psycopg, without a URL": lambda: with_psycopg(psycopg, dbname=os.environ["DB_NAME"], **PARTS),
    "psycopg2": lambda: with_psycopg(psycopg2, URL),
    "psycopg2, without a URL": lambda: with_psycopg(psycopg2, dbname=os.environ["DB_NAME"], **PARTS),
    "asyncpg": lambda: with_asyncpg(URL),
    "asyncpg, without a URL": lambda: with_asyncpg(database=os.environ["DB_NAME"], **PARTS),
    "SQLAlchemy with psycopg": lambda: with_sqlalchemy(URL.replace("postgresql://", "postgresql+psycopg://")),
    "SQLAlchemy with psycopg2": lambda: with_sqlalchemy(URL),
    "SQLAlchemy with asyncpg": lambda: with_async_sqlalchemy(BARE.replace("postgresql://", "postgresql+asyncpg://")),
}

for name, connect in WAYS.items():
    try:
        print(f"{name}: TLS {connect()}")
    except Exception as error:  # whatever a driver raises
        print(f"{name}: refused, {' '.join(str(error).split())[:200]}")
sys.stdout.flush()

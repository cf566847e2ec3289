"""The table of items, and what can be done with it."""

from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, String, Table, delete, func, insert, select
from sqlalchemy.engine import Connection

TITLE_LENGTH = 200

metadata = MetaData()

items = Table(
    "items",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("title", String(TITLE_LENGTH), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)


def newest(connection: Connection, limit: int) -> list[dict[str, Any]]:
    """Returns at most limit items, the newest first."""
    query = select(*items.c).order_by(items.c.id.desc()).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def add(connection: Connection, title: str) -> dict[str, Any]:
    """Stores an item and returns it as stored."""
    statement = insert(items).values(title=title).returning(*items.c)
    return dict(connection.execute(statement).mappings().one())


def remove(connection: Connection, item_id: int) -> bool:
    """Deletes an item; False if there is none with this id."""
    return connection.execute(delete(items).where(items.c.id == item_id)).rowcount == 1

"""Alembic by the shop's async driver. No line is about Afterwork: its plugin knows the application by the metadata."""

import asyncio

from alembic import context
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from shop.database import url_of_environment
from shop.model import Base

given = context.config.get_main_option("sqlalchemy.url")
url = make_url(given) if given else url_of_environment()


def migrate(connection: Connection) -> None:
    # SQLite changes little of a table in place, so Alembic copies it.
    batch = connection.dialect.name == "sqlite"
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=batch)
    with context.begin_transaction():
        context.run_migrations()


async def connect_and_migrate() -> None:
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await engine.dispose()


asyncio.run(connect_and_migrate())

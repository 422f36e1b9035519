"""The database: by an async driver for requests and migrations, by an ordinary one for the threads of Afterwork."""

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

ORDINARY_DRIVERS = {"sqlite+aiosqlite": "sqlite", "postgresql+asyncpg": "postgresql+psycopg"}


def url_of_environment() -> URL:
    """Return the URL in `DATABASE_URL`: a `postgresql+asyncpg://` or a `sqlite+aiosqlite://`."""
    return make_url(os.environ.get("DATABASE_URL") or "sqlite+aiosqlite:///shop.db")


@dataclass(frozen=True)
class Database:
    """One database, with an engine for each of its users."""

    requests: AsyncEngine
    jobs: Engine

    @classmethod
    def at(cls, url: URL) -> "Database":
        """Return the database at the URL of an async driver."""
        return cls(create_async_engine(url), create_engine(url.set(drivername=ORDINARY_DRIVERS[url.drivername])))

    @property
    def sessions(self) -> async_sessionmaker[AsyncSession]:
        return async_sessionmaker(self.requests, expire_on_commit=False)

    async def close(self) -> None:
        """Close all connections."""
        await self.requests.dispose()
        self.jobs.dispose()


async def session_of(request: Request) -> AsyncIterator[AsyncSession]:
    """One transaction for each request. It commits before the response is sent, and not at all if the request fails."""
    database: Database = request.app.state.database
    async with database.sessions.begin() as session:
        yield session


InTransaction = Annotated[AsyncSession, Depends(session_of, scope="function")]

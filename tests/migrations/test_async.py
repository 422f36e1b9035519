"""Migrations by an async engine, as the template `async` of Alembic runs them."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.migrations.environment import Migrations, body, faults
from tests.migrations.releases import check_all_is_right, release, write

DRIVERS = {"sqlite": ["sqlite+aiosqlite"], "postgresql": ["postgresql+asyncpg", "postgresql+psycopg_async"]}

ENV = """
import asyncio
from alembic import context

given = context.config.attributes


def migrate(connection):
    context.configure(connection=connection, target_metadata=given["metadata"])
    with context.begin_transaction():
        context.run_migrations()


async def run():
    async with given["engine"].connect() as connection:
        await connection.run_sync(migrate)
        await connection.commit()
    await given["engine"].dispose()


asyncio.run(run())
"""


@pytest.fixture(params=[0, 1], ids=["first", "second"])
def async_engine(request: pytest.FixtureRequest, engine: Engine) -> AsyncEngine:
    """An async engine on the database of the test, by each driver."""
    drivers = DRIVERS[engine.dialect.name]
    if request.param >= len(drivers):
        pytest.skip("there is one driver")
    return create_async_engine(as_url(engine.url, drivers[request.param]))


def as_url(url: URL, driver: str) -> URL:
    return url.set(drivername=driver)


def test_revisions_are_written_and_run_by_an_async_engine(
    engine: Engine, async_engine: AsyncEngine, tmp_path: Path
) -> None:
    older, newer = release(), release(has_discount=True)
    migrations = Migrations(tmp_path, async_engine, older.base.metadata)
    (tmp_path / "migrations" / "env.py").write_text(ENV)
    assert body(migrations.revision(), "upgrade")[-1] == "op.afterwork_install()"
    migrations.upgrade()
    assert faults(older.app, engine) == []
    write(older, engine)

    migrations.metadata = newer.base.metadata
    migrations.revision()
    migrations.upgrade()
    assert faults(newer.app, engine) == []
    write(newer, engine)
    check_all_is_right(newer, engine)

    migrations.downgrade("base")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM alembic_version")).scalar() == 0


def test_installing_on_an_async_connection(engine: Engine, async_engine: AsyncEngine) -> None:
    only = release()
    only.base.metadata.create_all(engine)

    async def install() -> tuple[list[str], list[str]]:
        async with async_engine.begin() as connection:
            first = await connection.run_sync(only.app.install)
            second = await connection.run_sync(only.app.install)
        await async_engine.dispose()
        return first, second

    first, second = asyncio.run(install())
    assert "table afterwork_journal created" in first
    assert second == []
    assert only.app.install(engine) == []
    assert faults(only.app, engine) == []

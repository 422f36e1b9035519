from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from tests.support.language import model


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    """Yield both databases with the objects of the model. Tests only read there, so all share them."""
    with request.getfixturevalue("postgres_server").fresh_database() as url:
        file = tmp_path_factory.mktemp("language") / "shop.db"
        engines = {"sqlite": create_engine(f"sqlite:///{file}"), "postgresql": create_engine(url)}
        for engine in engines.values():
            model.create(engine)
        yield engines
        for engine in engines.values():
            engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest, databases: dict[str, Engine]) -> Iterator[Session]:
    """Yield a session on the objects of the model, rolled back at the end."""
    with Session(databases[request.param]) as session:
        yield session


@pytest.fixture
def sqlite(databases: dict[str, Engine]) -> Iterator[Session]:
    """Yield a session as `session` does, where the database makes no difference."""
    with Session(databases["sqlite"]) as session:
        yield session

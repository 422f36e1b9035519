from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from tests.language import model


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    """Both databases with the model's data. Tests only read there, so all share them."""
    with request.getfixturevalue("postgres_server").fresh_database() as url:
        file = tmp_path_factory.mktemp("language") / "shop.db"
        found = {"sqlite": create_engine(f"sqlite:///{file}"), "postgresql": create_engine(url)}
        for engine in found.values():
            model.create(engine)
        yield found
        for engine in found.values():
            engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def session(request: pytest.FixtureRequest, databases: dict[str, Engine]) -> Iterator[Session]:
    """A session on the model's data, rolled back at the end."""
    with Session(databases[request.param]) as made:
        yield made


@pytest.fixture
def sqlite(databases: dict[str, Engine]) -> Iterator[Session]:
    """As `session`, where the database makes no difference."""
    with Session(databases["sqlite"]) as made:
        yield made

"""A filled database with a model of every kind of member."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.support.tracking.scene import Base, Scene, fill


@pytest.fixture
def empty_scene(tmp_path: Path) -> Iterator[Scene]:
    """The model's tables in a SQLite file. What is recorded hardly depends on the database."""
    engine = create_engine(f"sqlite:///{tmp_path / 'scene.db'}")
    Base.metadata.create_all(engine)
    yield Scene(engine)
    engine.dispose()


@pytest.fixture
def scene(empty_scene: Scene) -> Scene:
    with Session(empty_scene.engine) as session:
        fill(session)
    return empty_scene


@pytest.fixture
def session(scene: Scene) -> Iterator[Session]:
    with scene.session() as session:
        yield session

"""On PostgreSQL, the same is recorded."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from tests.support.postgres import Server
from tests.support.tracking.members import ALL_MEMBERS
from tests.support.tracking.scene import Base, Scene, fill
from tests.support.tracking.statements import GETS, NO_QUESTIONS, STATEMENTS


@pytest.fixture(scope="module")
def scene(postgres_server: Server) -> Iterator[Scene]:
    with postgres_server.fresh_database() as url:
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        with Session(engine) as session:
            fill(session)
        yield Scene(engine)
        engine.dispose()


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_each_kind_of_member_has_its_reads(scene: Scene, session: Session, kind: str) -> None:
    cls, key, job, expected = ALL_MEMBERS[kind]
    obj: Any = session.get_one(cls, key)
    assert scene.reads(session, lambda: job(obj)) == expected


@pytest.mark.parametrize("kind", GETS)
@pytest.mark.filterwarnings("ignore:The Query.get", "ignore:fully NULL primary key")
def test_each_lookup_by_key_has_its_reads(scene: Scene, session: Session, kind: str) -> None:
    job, expected = GETS[kind]
    assert scene.reads(session, lambda: job(session)) == expected


@pytest.mark.parametrize("kind", STATEMENTS | NO_QUESTIONS)
def test_statements(scene: Scene, session: Session, kind: str) -> None:
    scene.asked.clear()
    job = (STATEMENTS | NO_QUESTIONS)[kind]
    assert scene.reads(session, lambda: job(session)) == set()
    assert bool(scene.asked) == (kind in STATEMENTS)

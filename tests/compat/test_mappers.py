"""The private parts of SQLAlchemy's mappers do what tickets need. A new version that changes one fails here first."""

from typing import Any, NoReturn

import pytest
from sqlalchemy import create_engine, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Mapper, Session, mapped_column

from afterwork.compat.sqlalchemy_mappers import after_merge, refuse_in_bulk


class Refused(Exception): ...


def _refuse() -> NoReturn:
    raise Refused


@pytest.fixture(name="note")
def _note_class() -> Any:
    class Base(DeclarativeBase): ...

    class Note(Base):
        __tablename__ = "note"
        id: Mapped[int] = mapped_column(primary_key=True)
        text: Mapped[str]

    return Note


@pytest.fixture(name="session")
def _session(note: Any) -> Any:
    engine = create_engine("sqlite://")
    note.metadata.create_all(engine)
    with Session(engine) as session:
        yield session


def test_a_mapping_with_the_refused_key_is_refused_in_both_ways_to_insert_in_bulk(note: Any, session: Session) -> None:
    mapper: Mapper[Any] = note.__mapper__
    refuse_in_bulk(mapper, "author", _refuse)

    with pytest.raises(Refused):
        session.bulk_insert_mappings(mapper, [{"id": 1, "text": "x", "author": "y"}])
    session.rollback()
    with pytest.raises(Refused):
        session.execute(insert(note), [{"id": 1, "text": "x", "author": "y"}])


def test_other_mappings_and_objects_are_inserted_as_ever(note: Any, session: Session) -> None:
    refuse_in_bulk(note.__mapper__, "author", _refuse)

    session.bulk_insert_mappings(note.__mapper__, [{"id": 1, "text": "x"}])
    session.execute(insert(note), [{"id": 2, "text": "y"}])
    session.add(note(id=3, text="z"))
    session.flush()

    assert session.scalars(select(note.text).order_by(note.id)).all() == ["x", "y", "z"]


def test_what_follows_a_merge_sees_both_objects_and_whether_to_load(note: Any, session: Session) -> None:
    seen: list[Any] = []
    after_merge(note.__mapper__, "text", lambda *given: seen.append(given))
    given = note(id=1, text="x")

    merged = session.merge(given)

    assert merged.text == "x"
    assert seen == [(session, vars(given), vars(merged), True)]

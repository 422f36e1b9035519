"""Values follow, and failures are told, in whatever encoding a database of PostgreSQL has."""

from datetime import timedelta

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.support.postgres import Server

LETTERS = {"LATIN1": "é", "SQL_ASCII": "é", "EUC_JP": "日本"}


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Note(Base):
    __tablename__ = "note"
    id: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[str]
    twice: Mapped[str | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> str:
        if self.said == "?":
            raise ValueError("→ ☃")
        return self.said * 2


@pytest.mark.parametrize("at_once", [timedelta(0), aw.Settings().at_once], ids=["queued", "inline"])
@pytest.mark.parametrize("encoding", LETTERS)
def test_letters_are_followed_in_keys_and_values(postgres_server: Server, encoding: str, at_once: timedelta) -> None:
    letter, app = LETTERS[encoding], aw.Afterwork(Base, settings=aw.Settings(at_once=at_once))
    with postgres_server.database_in(encoding) as url:
        engine = create_engine(url, client_encoding="utf8")
        Base.metadata.create_all(engine)
        app.install(engine)
        with Session(engine) as session, session.begin():
            session.add_all([Note(id=letter, said="a"), Note(id="b", said="?"), Note(id="c", said=letter)])
        app.run_until_idle(engine)
        with engine.begin() as connection:
            connection.execute(text("UPDATE note SET said = :letter WHERE id <> 'b'"), {"letter": letter})

        app.run_until_idle(engine)

        with Session(engine) as session:
            assert session.get_one(Note, letter).twice == session.get_one(Note, "c").twice == letter * 2
            assert f"note {letter} was changed: said from a to {letter}" in str(
                app.explain(session.get_one(Note, letter), "twice")
            )
            assert "ValueError: " in str(app.explain(session.get_one(Note, "b"), "twice").error)
        engine.dispose()

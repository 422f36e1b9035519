"""Values follow, and failures are told, in whatever encoding a database of PostgreSQL has."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Select, create_engine, literal_column, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.support.postgres import Server

LETTERS = {"LATIN1": "é", "SQL_ASCII": "é", "EUC_JP": "日本"}


ODD = "convert_from('\\xe9ff'::bytea, 'SQL_ASCII')"


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Note(Base):
    __tablename__ = "note"
    id: Mapped[str] = mapped_column(primary_key=True)
    said: Mapped[str]
    twice: Mapped[str | None] = mapped_column()
    letters: Mapped[str | None] = mapped_column()

    @aw.derived(twice)
    def compute_twice(self) -> str:
        if self.said == "?":
            raise ValueError("→ ☃")
        return self.said * 2

    @aw.derived(letters)
    def compute_letters(self) -> str:
        """Its statement has a letter in its own text."""
        mine: Select[Any] = select(literal_column("'é'") + Note.said).where(Note.id == self.id)
        return str(aw.session(self).execute(mine).scalar_one())


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


@pytest.mark.parametrize("at_once", [timedelta(0), aw.Settings().at_once], ids=["queued", "inline"])
def test_bytes_of_no_encoding_stop_nobody(postgres_server: Server, at_once: timedelta) -> None:
    """SQL_ASCII takes any bytes. A server reads and writes them as they are, in keys and values."""
    app = aw.Afterwork(Base, settings=aw.Settings(at_once=at_once))
    with postgres_server.database_in("SQL_ASCII") as url:
        engine = create_engine(url, client_encoding="utf8")
        Base.metadata.create_all(engine)
        app.install(engine)
        with engine.begin() as connection:
            connection.execute(
                text(f"INSERT INTO note (id, said) VALUES ({ODD}, 'a'), ('b', 'b'), ('c', {ODD}), ('é', 'é')")
            )
        app.run_until_idle(engine)
        with engine.begin() as connection:
            connection.execute(text(f"UPDATE note SET said = said || {ODD} WHERE id <> 'é'"))
            connection.execute(text("UPDATE note SET said = 'ö' WHERE id = 'é'"))

        app.run_until_idle(engine)

        with engine.connect() as connection:
            are_right = text("SELECT bool_and(twice = said || said AND letters = 'é' || said) FROM note")
            assert connection.execute(are_right).scalar()
        with Session(engine) as session:
            plain = session.get_one(Note, "é")
            assert plain.twice == "öö"
            assert not aw.is_stale(plain, "twice")
            assert "said from é to ö" in str(app.explain(plain, "twice"))
        engine.dispose()

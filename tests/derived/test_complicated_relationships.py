"""A relationship by conditions that no key answers depends on all rows of its tables, but not on all their columns."""

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Integer, String, Table, and_, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, mapped_column, relationship

import afterwork as aw
from afterwork.jobs.run import Succeeded
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


rating = Table(
    "rating",
    Base.metadata,
    Column("reader_id", Integer, primary_key=True),
    Column("code", String(10), primary_key=True),
    Column("stars", Integer, nullable=False),
)


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(10))
    shelf: Mapped[int | None] = mapped_column()
    title: Mapped[str] = mapped_column(default="b")


class Reader(Base):
    __tablename__ = "reader"
    id: Mapped[int] = mapped_column(primary_key=True)
    friend_id: Mapped[int | None] = mapped_column(ForeignKey("reader.id"))
    age: Mapped[int] = mapped_column(default=1)
    liked: Mapped[str | None] = mapped_column()
    near: Mapped[str | None] = mapped_column()
    best: Mapped[list[Book]] = relationship(
        secondary=rating,
        primaryjoin=lambda: Reader.id == foreign(rating.c.reader_id),
        secondaryjoin=lambda: and_(foreign(rating.c.code) == Book.code, rating.c.stars > 1),
        order_by=lambda: Book.id,
        viewonly=True,
    )
    shelved: Mapped[list[Book]] = relationship(
        primaryjoin=lambda: foreign(Book.shelf).is_not_distinct_from(Reader.friend_id),
        order_by=lambda: Book.id,
        viewonly=True,
    )

    @aw.derived(liked)
    def compute_liked(self) -> str:
        return " ".join(str(book.id) for book in self.best)

    @aw.derived(near)
    def compute_near(self) -> str:
        return " ".join(str(book.id) for book in self.shelved)


CHANGES = {
    "stars": "UPDATE rating SET stars = 3 - stars",
    "a code": "UPDATE book SET code = 'b' WHERE id = 3",
    "whom a rating is by": "UPDATE rating SET reader_id = 3 WHERE code = 'c'",
    "a shelf": "UPDATE book SET shelf = 1 WHERE id = 1",
    "a friend": "UPDATE reader SET friend_id = NULL WHERE id = 2",
    "a new book": "INSERT INTO book (id, code, shelf, title) VALUES (9, 'a', NULL, 'n')",
    "a book that is gone": "DELETE FROM book WHERE id = 2",
}


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    app = installed(engine, Base)
    with Session(engine) as session, session.begin():
        session.add_all([Book(id=1, code="a"), Book(id=2, code="b", shelf=1), Book(id=3, code="c", shelf=2)])
        session.add_all([Reader(id=1), Reader(id=2, friend_id=1), Reader(id=3, friend_id=2)])
        session.execute(text("INSERT INTO rating VALUES (1, 'a', 1), (1, 'b', 2), (2, 'c', 2)"))
    app.run_until_idle(engine)
    return app


def write(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_decides_what_it_leads_to_counts(change: str, app: aw.Afterwork, engine: Engine) -> None:
    write(engine, CHANGES[change])

    ended = app.run_until_idle(engine)

    assert ended
    assert all(isinstance(run.outcome, Succeeded) for run in ended), ended
    with Session(engine) as session:
        for reader in session.query(Reader):
            assert (reader.liked, reader.near) == (reader.compute_liked(), reader.compute_near())


def test_other_columns_do_not_count(app: aw.Afterwork, engine: Engine) -> None:
    """Among them are those that hold what is made of it: it would seem to be made of itself."""
    write(engine, "UPDATE book SET title = 'other'")
    write(engine, "UPDATE reader SET age = 9")

    assert app.run_until_idle(engine) == []

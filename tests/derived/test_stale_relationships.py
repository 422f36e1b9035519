"""Ends of every shape that lead through a table between, and conditions in which null meets null: whatever is written
to the tables on the way, the value follows."""

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Integer, Numeric, Table, func, select, text
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, foreign, mapped_column, relationship, remote

import afterwork as aw
from tests.support.prepared import begin_with, installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Book(Base):
    """A table between that is mapped itself. Nothing says that its rows have an author or chapters."""

    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int | None]
    code: Mapped[str | None]
    price: Mapped[Any] = mapped_column(Numeric(8, 2), nullable=True)
    volume: Mapped[int | None]


class Chapter(Base):
    __tablename__ = "chapter"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="chapter")
    book_id: Mapped[int | None]
    code: Mapped[str | None]
    price: Mapped[Any] = mapped_column(Numeric(8, 2), nullable=True)
    volume: Mapped[int | None]
    rank: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "chapter"}


class Preface(Chapter):
    __mapper_args__ = {"polymorphic_identity": "preface"}


liking = Table("liked", Base.metadata, Column("author_id", Integer), Column("chapter_id", Integer))
knowing = Table(
    "knows", Base.metadata, Column("one", ForeignKey("author.id")), Column("other", Integer), Column("since", Integer)
)


def through(secondary: Any, far: Any = Chapter, *, on: Any, near: Any = None) -> Any:
    """An end of authors by a table between."""
    return relationship(
        far,
        secondary=secondary,
        primaryjoin=near or (lambda: Author.id == Book.author_id),
        secondaryjoin=on,
        viewonly=True,
        order_by=lambda: Chapter.rank,
    )


def likes() -> Any:
    return Author.id == foreign(remote(liking.c.author_id))


class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    region: Mapped[int | None]
    sums: Mapped[str | None] = mapped_column()
    by_number: Mapped[list[Chapter]] = through("book", on=lambda: Book.id == Chapter.book_id)
    by_text: Mapped[list[Chapter]] = through("book", on=lambda: Book.code == foreign(Chapter.code))
    by_decimal: Mapped[list[Chapter]] = through("book", on=lambda: Book.price == foreign(Chapter.price))
    by_two: Mapped[list[Chapter]] = through(
        "book", on=lambda: (Book.id == Chapter.book_id) & (Book.volume == foreign(Chapter.volume))
    )
    prefaces: Mapped[list[Preface]] = through("book", Preface, on=lambda: Book.id == Chapter.book_id)
    liked: Mapped[list[Chapter]] = through(
        liking, near=likes, on=lambda: foreign(remote(liking.c.chapter_id)) == Chapter.id
    )
    liked_prefaces: Mapped[list[Preface]] = through(
        liking, Preface, near=likes, on=lambda: foreign(remote(liking.c.chapter_id)) == Chapter.id
    )
    known: Mapped[list["Author"]] = relationship(
        secondary=knowing,
        primaryjoin=lambda: Author.id == knowing.c.one,
        secondaryjoin=lambda: foreign(remote(knowing.c.other)) == Author.id,
        viewonly=True,
    )
    ranks: AssociationProxy[list[int]] = association_proxy("by_text", "rank")

    @aw.derived(sums)
    def compute_sums(self) -> str:
        return ends_of(self)


def ends_of(author: Author) -> str:
    ends = ["by_number", "by_text", "by_decimal", "by_two", "prefaces", "liked", "liked_prefaces", "known"]
    return "; ".join(str(sorted(one.id for one in getattr(author, end))) for end in ends) + f"; {list(author.ranks)}"


class Rule(Base):
    __tablename__ = "rule"
    id: Mapped[int] = mapped_column(primary_key=True)
    region: Mapped[int | None]
    total: Mapped[int | None] = mapped_column()

    @aw.derived(total)
    def compute_total(self) -> int:
        met = select(func.coalesce(func.sum(Price.amount), 0)).join(
            Rule, Price.region.is_not_distinct_from(Rule.region)
        )
        return aw.session(self).scalar(met.where(Rule.id == self.id)) or 0


class Price(Base):
    __tablename__ = "price"
    id: Mapped[int] = mapped_column(primary_key=True)
    region: Mapped[int | None]
    amount: Mapped[int]


BEGIN = (
    "INSERT INTO author (id) VALUES (1), (2)",
    "INSERT INTO book (id, author_id, code, price, volume)"
    " VALUES (1, 1, 'a', 1.5, 1), (2, 1, 'b', 2.5, 2), (3, 2, 'c', 3, 1)",
    "INSERT INTO chapter (id, kind, book_id, code, price, volume, rank)"
    " VALUES (1, 'chapter', 1, 'a', 1.5, 1, 1), (2, 'preface', NULL, NULL, NULL, NULL, 2),"
    " (3, 'chapter', 3, 'c', 3, 1, 3)",
    "INSERT INTO liked (author_id, chapter_id) VALUES (1, 1), (1, 9), (2, 2)",
    "INSERT INTO knows (one, other, since) VALUES (1, 2, 0), (1, 5, 0)",
    "INSERT INTO rule (id, region) VALUES (1, NULL), (2, 7)",
    "INSERT INTO price (id, region, amount) VALUES (1, NULL, 5), (2, 7, 6)",
)

WRITES: dict[str, Sequence[str]] = {
    "a far row comes": ["INSERT INTO chapter (id, kind, book_id, rank) VALUES (4, 'chapter', 2, 4)"],
    "a far row comes by text": ["INSERT INTO chapter (id, kind, code, rank) VALUES (4, 'chapter', 'b', 4)"],
    "a far row comes by a decimal": ["INSERT INTO chapter (id, kind, price, rank) VALUES (4, 'chapter', 2.5, 4)"],
    "a far row comes by two": [
        "INSERT INTO chapter (id, kind, book_id, volume, rank) VALUES (4, 'chapter', 2, 9, 4)",
        "UPDATE chapter SET volume = 2 WHERE id = 4",
    ],
    "a far row moves there": ["UPDATE chapter SET book_id = 2, code = 'b', price = 2.5, volume = 2 WHERE id = 2"],
    "a far row moves away": ["UPDATE chapter SET book_id = NULL, code = 'x', price = NULL WHERE id = 1"],
    "a far row goes": ["DELETE FROM chapter WHERE id = 1"],
    "a far row becomes one of the class": ["UPDATE chapter SET kind = 'preface' WHERE id = 1"],
    "a far row is one of the class no more": [
        "UPDATE chapter SET book_id = 1 WHERE id = 2",
        "UPDATE chapter SET kind = 'chapter' WHERE id = 2",
    ],
    "a row between leads to one that is not there yet": [
        "INSERT INTO chapter (id, kind, rank) VALUES (9, 'preface', 9)",
        "INSERT INTO author (id) VALUES (5)",
    ],
    "a row between moves": ["UPDATE book SET author_id = 2 WHERE id = 1"],
    "a row between leads elsewhere": ["UPDATE book SET code = 'c', price = 3, volume = 7 WHERE id = 2"],
    "a row between comes before the far one": [
        "INSERT INTO book (id, author_id, code) VALUES (7, 2, 'z')",
        "INSERT INTO chapter (id, kind, book_id, code, rank) VALUES (7, 'preface', 7, 'z', 7)",
    ],
    "an order changes": ["UPDATE chapter SET code = 'a' WHERE id = 3", "UPDATE chapter SET rank = 0 WHERE id = 3"],
}


def difference(engine: Engine) -> tuple[list[Any], list[Any]]:
    """What is stored, and what it is made from scratch."""
    with Session(engine) as session:
        authors = session.scalars(select(Author).order_by(Author.id)).all()
        return [author.sums for author in authors], [ends_of(author) for author in authors]


@pytest.mark.parametrize("write", WRITES)
def test_ends_through_a_table_between_follow_whatever_is_written(engine: Engine, write: str) -> None:
    app = begin(engine)
    for statement in WRITES[write]:
        _write(engine, statement)
        app.run_until_idle(engine)
        stored, right = difference(engine)
        assert stored == right


def test_what_is_written_to_others_makes_nothing_run(engine: Engine) -> None:
    app = begin(engine)
    _write(engine, "INSERT INTO chapter (id, kind, book_id, code, volume, rank) VALUES (8, 'chapter', 80, 'y', 8, 8)")
    _write(engine, "UPDATE book SET volume = 3, price = 3 WHERE id = 3")
    ran = [ended.run.root_id for ended in app.run_until_idle(engine)]
    assert ran == ["Author!2"] or ran == ["Author!1", "Author!2"]  # the second by its decimals, which have no values
    _write(engine, "INSERT INTO liked (author_id, chapter_id) VALUES (7, 1)")
    assert app.run_until_idle(engine) == []


@pytest.mark.parametrize(
    "write",
    [
        "UPDATE price SET amount = 9 WHERE id = 1",
        "UPDATE price SET region = NULL WHERE id = 2",
        "INSERT INTO price (id, region, amount) VALUES (3, NULL, 1)",
        "UPDATE rule SET region = NULL WHERE id = 2",
        "UPDATE rule SET region = 7 WHERE id = 1",
        "DELETE FROM price WHERE id = 1",
    ],
)
def test_null_meets_null(engine: Engine, write: str) -> None:
    app = begin(engine)
    _write(engine, write)
    app.run_until_idle(engine)
    met = "SELECT coalesce(sum(amount), 0) FROM price p WHERE p.region IS NOT DISTINCT FROM r.region"
    if engine.dialect.name == "sqlite":
        met = met.replace("IS NOT DISTINCT FROM", "IS")
    with engine.connect() as connection:
        rows = connection.execute(text(f"SELECT total, ({met}) FROM rule r ORDER BY id")).all()
    assert rows
    assert all(total == right for total, right in rows)


def begin(engine: Engine) -> aw.Afterwork:
    begin_with(engine, authors_and_rules)
    return aw.Afterwork(Base)


def authors_and_rules(engine: Engine) -> None:
    app = installed(engine, Base)
    for statement in BEGIN:
        _write(engine, statement)
    app.run_until_idle(engine)


def _write(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))

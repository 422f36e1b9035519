"""Calculations that do what no calculation may."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

from sqlalchemy import Numeric, cast, create_engine, func, insert, literal_column, select, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from tests.derived.stale_scene import Book, Function, Log, Shelf

Behave = Callable[..., None]


def reads_itself(self: Shelf) -> int:
    return self.value + 1


def asks_by_text(self: Shelf) -> Any:
    return aw.session(self).scalar(text("SELECT count(*) FROM book"))


def asks_by_a_piece_of_text(self: Shelf) -> Any:
    return aw.session(self).scalar(select(literal_column("1 + 1")))


def asks_the_driver(self: Shelf) -> Any:
    return aw.session(self).connection().exec_driver_sql("SELECT 1").scalar()


def connects(self: Shelf) -> Any:
    with aw.session(self).connection().engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Book)).scalar()


def connects_by_an_engine_of_its_own(self: Shelf) -> Any:
    engine = create_engine(aw.session(self).connection().engine.url)
    with Session(engine) as own:
        return own.scalar(select(func.count()).select_from(Book))


def reads_what_is_left_out(self: Shelf) -> Any:
    return aw.session(self).scalar(select(func.count()).select_from(Log))


def raises(self: Shelf) -> int:
    raise ValueError("no such size")


def asks_a_file_of_its_own(self: Shelf) -> Any:
    with closing(sqlite3.connect(":memory:")) as own:
        return own.execute("SELECT x FROM nowhere").fetchone()


def raises_what_says_nothing(self: Shelf) -> int:
    raise Exception("\0\ud800")


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("mute")


def raises_what_can_not_speak(self: Shelf) -> int:
    raise Mute


def recurses(self: Shelf) -> int:
    return recurses(self)


def changes_itself(self: Shelf) -> int:
    self.label = "changed"
    return 1


def adds(self: Shelf) -> int:
    aw.session(self).add(Book(shelf_id=self.id))
    return 1


def adds_by_a_link(self: Shelf) -> int:
    self.books.append(Book())
    return 1


def deletes(self: Shelf) -> int:
    aw.session(self).delete(self)
    return 1


def updates_many(self: Shelf) -> int:
    aw.session(self).execute(update(Shelf).values(size=9))
    return 1


def inserts(self: Shelf) -> int:
    aw.session(self).execute(insert(Book).values(shelf_id=self.id, title="x"))
    return 1


class Nothing(aw.ViewModel[Shelf]):
    @aw.action
    def act(self) -> None: ...


def asks_for_work(self: Shelf) -> int:
    aw.later(Nothing(self))
    return 1


def commits(self: Shelf) -> int:
    aw.session(self).commit()
    return 1


def rolls_back_the_connection(self: Shelf) -> int:
    aw.session(self).connection().rollback()
    return 1


def commits_the_connection(self: Shelf) -> int:
    aw.session(self).connection().commit()
    return 1


def asks_for_what_the_database_refuses(self: Shelf) -> Any:
    zero = select(Shelf.size - Shelf.size).where(Shelf.id == self.id).scalar_subquery()
    whole = cast(zero, Numeric)
    return aw.session(self).scalars(select(1 / whole)).one().as_integer_ratio()  # null on SQLite


BAD: dict[Function, list[str]] = {
    reads_itself: ["ReadsItself", "Shelf.value", "never become stable"],
    asks_by_text: ["TextualSQL", "SELECT count(*) FROM book", "select(", "aw.untracked", "aw.depends_on"],
    asks_by_a_piece_of_text: ["TextualSQL", "1 + 1", "aw.untracked"],
    asks_the_driver: ["TextualSQL", "SELECT 1", "aw.untracked"],
    connects: ["OwnConnection", "aw.session(self)"],
    connects_by_an_engine_of_its_own: ["OwnConnection", "aw.session(self)", "aw.untracked"],
    reads_what_is_left_out: ["NotWatched", "log", "aw.UNWATCHED"],
    asks_a_file_of_its_own: ["OperationalError: no such table: nowhere", "in asks_a_file_of_its_own"],
    raises: ["ValueError: no such size", "bad_calculations.py", "in raises"],
    raises_what_says_nothing: ["Exception", "in raises_what_says_nothing"],
    raises_what_can_not_speak: ["Mute", "in raises_what_can_not_speak"],
    recurses: ["RecursionError"],
    changes_itself: ["CalculationWrites", "must change nothing", "Shelf", "aw.WhenStale"],
    adds: ["CalculationWrites", "Book was added"],
    adds_by_a_link: ["CalculationWrites"],
    deletes: ["CalculationWrites", "Shelf was"],
    updates_many: ["CalculationWrites", "aw.WhenStale"],
    inserts: ["CalculationWrites", "aw.WhenStale"],
    asks_for_work: ["CalculationWrites", "SysAsyncTicket was added"],
    commits: ["TransactionIsTheRuns", "can't commit"],
    rolls_back_the_connection: ["TransactionIsTheRuns"],
    commits_the_connection: ["TransactionIsTheRuns", "can't commit"],
    asks_for_what_the_database_refuses: ["Error"],
}

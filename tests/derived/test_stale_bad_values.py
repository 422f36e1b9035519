"""Calculations that read or return what they must not: the value stays, the error says what to do, others go on."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Numeric, cast, create_engine, func, insert, literal_column, select, text, update
from sqlalchemy.orm import Session

import afterwork as aw
from tests.derived.stale_scene import Book, Function, Log, Scene, Shelf

Behave = Callable[..., None]


def reads_itself(self: Shelf) -> int:
    return self.value + 1


def reads_itself_by_a_select(self: Shelf) -> int:
    return 1 + (aw.session(self).scalar(select(Shelf.value).where(Shelf.id == self.id)) or 0)


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
    reads_itself: ["ReadsItself", "Shelf.value", "never come to rest"],
    asks_by_text: ["TextualSQL", "SELECT count(*) FROM book", "select(", "aw.untracked", "aw.depends_on"],
    asks_by_a_piece_of_text: ["TextualSQL", "1 + 1", "aw.untracked"],
    asks_the_driver: ["TextualSQL", "SELECT 1", "aw.untracked"],
    connects: ["OwnConnection", "aw.session(self)"],
    connects_by_an_engine_of_its_own: ["OwnConnection", "aw.session(self)", "aw.untracked"],
    reads_what_is_left_out: ["NotWatched", "log", "aw.UNWATCHED"],
    asks_a_file_of_its_own: ["OperationalError: no such table: nowhere", "in asks_a_file_of_its_own"],
    raises: ["ValueError: no such size", "test_stale_bad_values.py", "in raises"],
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


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.__name__)
def test_it_fails_alone_says_why_and_is_right_once_it_can_be(bad: Function, shelves: Scene, behave: Behave) -> None:
    shelves.sql("UPDATE shelf SET value = 77")
    behave(bad)

    shelves.runs()

    error = shelves.failed(2, "value")
    assert [words for words in BAD[bad] if words not in error] == [], error
    assert [shelf.value for shelf in shelves.all(Shelf)] == [1, 77, 3]
    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", "0", "0"]
    assert [shelf.size for shelf in shelves.all(Shelf)] == [1, 2, 3]
    assert shelves.runs() == []
    assert shelves.is_quiet()
    shelves.clock.advance(timedelta(minutes=1))
    assert shelves.runs() == ["Shelf.value Shelf!2"]

    shelves.sql("UPDATE shelf SET sort = 'good'")
    shelves.clock.advance(timedelta(hours=2))
    shelves.runs()

    assert [shelf.value for shelf in shelves.all(Shelf)] == [1, 2, 3]
    assert shelves.explain(2, "value").state == "fresh"


VALUES: dict[str, tuple[str, Any, list[str]]] = {
    "null": ("value", None, ["Shelf.value can't be null", "returned None"]),
    "text for a number": ("value", "many", ["Shelf.value needs int", "'many'"]),
    "a fraction": ("value", 1.5, ["Shelf.value needs int", "1.5"]),
    "a decimal": ("value", Decimal(2), ["Shelf.value needs int"]),
    "true for a number": ("value", True, ["Shelf.value needs int", "True"]),
    "an object": ("value", object(), ["Shelf.value needs int"]),
    "a number for text": ("label", 5, ["Shelf.label needs str", "5"]),
    "bytes for text": ("label", b"x", ["Shelf.label needs str"]),
    "too great a number": ("value", 2**70, ["Error"]),
    "half a character": ("label", "\ud800", ["Error"]),
    "what JSON has no word for": ("extra", {"when": object()}, ["Error", "JSON"]),
}


@pytest.mark.parametrize("case", VALUES)
def test_what_a_column_can_not_hold_is_not_stored(case: str, shelves: Scene, behave: Behave) -> None:
    member, value, said = VALUES[case]
    before = getattr(shelves.all(Shelf)[1], member)
    behave(lambda shelf: value, member)

    shelves.runs()

    error = shelves.failed(2, member)
    assert [words for words in said if words not in error] == [], error
    there = shelves.all(Shelf)
    assert getattr(there[1], member) == before
    assert [shelf.value for shelf in (there[0], there[2])] == [1, 3]
    assert [shelf.label for shelf in (there[0], there[2])] == ["0", "0"]
    assert [shelf.extra for shelf in (there[0], there[2])] == [{"sort": "good"}, {"sort": "good"}]
    assert shelves.runs() == []
    assert shelves.is_quiet()


@pytest.mark.parametrize(("text", "said"), [("much too long", "too long"), ("\0", "")])
def test_a_text_that_the_database_refuses_is_told(text: str, said: str, shelves: Scene, behave: Behave) -> None:
    behave(lambda shelf: text, "label")

    shelves.runs()

    if shelves.on_sqlite:  # which takes it
        assert shelves.all(Shelf)[1].label == text
    else:
        assert said in shelves.failed(2, "label")
        assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", None, "0"]
    assert shelves.runs() == []
    assert shelves.is_quiet()


def test_none_is_a_value_of_a_column_that_may_be_null(shelves: Scene, behave: Behave) -> None:
    shelves.sql("UPDATE shelf SET label = 'x'")
    behave(lambda shelf: None, "label")

    shelves.runs()

    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", None, "0"]
    assert shelves.explain(2, "label").state == "fresh"

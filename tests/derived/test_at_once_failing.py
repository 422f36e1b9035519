"""Functions that do what they must not, and values that can't be stored, among small changes: each fails alone."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, text

import afterwork as aw
from tests.derived import stale_scene
from tests.derived.bad_calculations import (
    BAD,
    Behave,
    adds,
    asks_for_what_the_database_refuses,
    changes_itself,
    commits,
    commits_the_connection,
    connects,
    raises,
    reads_itself,
    rolls_back_the_connection,
    updates_many,
)
from tests.derived.small_scene import QUICK, Small
from tests.derived.stale_scene import Book, Function, Shelf, three_shelves


@pytest.fixture(name="shelves")
def quick_shelves(engine: Engine) -> Small:
    """Shelves 1 to 3, as elsewhere, but fresh, and known to be quick."""
    return Small(engine, stale_scene.Base, settings=QUICK, first=three_fresh_shelves)


def three_fresh_shelves(engine: Engine) -> None:
    three_shelves(engine)
    aw.Afterwork(stale_scene.Base, settings=QUICK).run_until_idle(engine)


@pytest.fixture(name="becoming")
def behave_once_more(shelves: Small, behave: Behave) -> Behave:
    """The same as `behave`, for a function whose kinds of reads are known already. `CHANGE` lets it run."""

    def put(bad: Function, member: str = "value") -> None:
        behave(bad, member)
        shelves.sql("UPDATE shelf SET size = size + 1", "INSERT INTO book (shelf_id, title) SELECT id, '' FROM shelf")
        shelves.run()
        shelves.sql("UPDATE shelf SET size = size - 1, sort = 'good'", "DELETE FROM book")
        shelves.run()
        shelves.seen.clear()

    return put


CHANGE = "UPDATE shelf SET size = size + 10, sort = CASE id WHEN 2 THEN 'bad' ELSE sort END"


NOT_AT_ONCE = rolls_back_the_connection, commits_the_connection, asks_for_what_the_database_refuses
"""After these, the transaction has to begin anew."""

BAD_ONES = raises, reads_itself, connects, changes_itself, adds, updates_many, commits, *NOT_AT_ONCE


@pytest.mark.parametrize("bad", BAD_ONES, ids=lambda bad: bad.__name__)
def test_what_a_function_must_not_do_fails_alone_also_at_once(bad: Function, shelves: Small, becoming: Behave) -> None:
    becoming(bad)
    shelves.sql("UPDATE shelf SET value = 77 WHERE id = 2")
    shelves.sql(CHANGE)
    ran = shelves.runs("Shelf.value")
    assert set(ran) == {f"Shelf.value Shelf!{n}" for n in (1, 2, 3)}
    assert len(ran) == 3
    if bad not in NOT_AT_ONCE:
        assert next(point for point, work in shelves.points() if work == "Shelf.value") == "ran"
    error = shelves.failed(2, "value")
    assert [words for words in BAD[bad] if words not in error] == [], error
    assert [shelf.value for shelf in shelves.all(Shelf)] == [11, 77, 13]
    assert [shelf.label for shelf in shelves.all(Shelf)] == ["0", "0", "0"]
    assert [shelf.size for shelf in shelves.all(Shelf)] == [11, 12, 13]
    assert shelves.all(Book) == []
    assert shelves.runs() == []
    assert shelves.is_quiet()
    shelves.clock.advance(timedelta(minutes=1))
    assert shelves.runs() == ["Shelf.value Shelf!2"]


LABELS = {
    "null for what may not be": ("value", None),
    "too great a number": ("value", 2**70),
    "half a character": ("label", "\ud800"),
    "too long a text": ("label", "much too long"),
}


@pytest.mark.parametrize("case", LABELS)
def test_a_value_that_can_not_be_stored_fails_alone_also_at_once(case: str, shelves: Small, becoming: Behave) -> None:
    member, value = LABELS[case]
    if shelves.on_sqlite and case == "too long a text":
        pytest.skip("SQLite takes it")
    becoming(lambda shelf: value, member)
    before = getattr(shelves.all(Shelf)[1], member)
    with shelves.session() as session, session.begin():
        for shelf in session.scalars(select(Shelf)):
            shelf.size += 10
            shelf.sort = "bad" if shelf.id == 2 else "good"
            session.add(Book(shelf_id=shelf.id))
    shelves.runs()
    shelves.failed(2, member)
    assert getattr(shelves.all(Shelf)[1], member) == before
    assert [one.value for one in shelves.all(Shelf) if one.id != 2] == [11, 13]
    assert [one.label for one in shelves.all(Shelf) if one.id != 2] == ["1", "1"]
    assert shelves.runs() == []
    assert shelves.is_quiet()


@pytest.mark.parametrize(
    "constraint", ["CHECK (value <> 12)", "EXCLUDE (value WITH =) WHERE (value > 11) DEFERRABLE INITIALLY DEFERRED"]
)
def test_a_value_that_the_database_refuses_fails_alone_also_at_once(constraint: str, shelves: Small) -> None:
    if shelves.on_sqlite:
        pytest.skip("SQLite can't add constraints")
    shelves.runs()
    shelves.sql(f"ALTER TABLE shelf ADD {constraint}")
    shelves.sql("UPDATE shelf SET size = CASE id WHEN 1 THEN 5 ELSE 12 END")
    shelves.runs()
    states = [shelves.explain(n, "value").state for n in (1, 2, 3)]
    assert states[0] == "fresh"
    assert "failed" in states
    assert shelves.all(Shelf)[0].value == 5
    assert shelves.runs() == []
    assert shelves.is_quiet()


def test_a_kind_of_read_that_is_new_is_not_lost(shelves: Small, behave: Behave) -> None:
    behave(lambda shelf: sum(len(book.title) for book in shelf.books))
    shelves.sql("INSERT INTO book (id, shelf_id, title) VALUES (1, 2, 'abc')")
    shelves.runs()
    shelves.sql("UPDATE shelf SET size = 5 WHERE id = 2")
    shelves.runs()
    assert shelves.all(Shelf)[1].value == 3
    shelves.sql("UPDATE book SET title = 'abcd'")
    shelves.runs()
    assert shelves.all(Shelf)[1].value == 4
    shelves.sql("INSERT INTO book (id, shelf_id, title) VALUES (2, 2, 'x')")
    shelves.runs()
    assert shelves.all(Shelf)[1].value == 5


def test_what_raises_fails_at_once_and_is_tried_again_by_and_by(shelves: Small, becoming: Behave) -> None:
    becoming(raises)
    shelves.sql(CHANGE)
    assert len(shelves.runs("Shelf.value")) == 3
    assert "Shelf.value" not in shelves.claimed()
    assert [one.value for one in shelves.all(Shelf)] == [11, 2, 13]
    assert "no such size" in shelves.failed(2, "value")
    assert shelves.runs() == []
    shelves.clock.advance(timedelta(seconds=11))
    assert shelves.runs() == ["Shelf.value Shelf!2"]
    assert shelves.claimed() == ["Shelf.value"]
    shelves.sql("UPDATE shelf SET sort = 'good'")
    assert "Shelf.value Shelf!2" in shelves.runs()
    assert "Shelf.value" not in shelves.claimed()
    assert shelves.explain(2, "value").state == "fresh"
    assert shelves.value("SELECT count(*) FROM afterwork_due") == 0


def writes_by_text(self: Shelf) -> int:
    with aw.untracked():
        aw.session(self).connection().execute(text("UPDATE shelf SET touched = 9"))
    return 1


def writes_by_the_driver(self: Shelf) -> int:
    aw.session(self).connection().connection.cursor().execute("UPDATE shelf SET touched = 9")
    return 1


def writes_in_a_part(self: Shelf) -> int:
    with aw.session(self).begin_nested():
        return writes_by_text(self)


@pytest.mark.parametrize("bad", [writes_by_text, writes_by_the_driver, writes_in_a_part])
def test_a_function_writes_nothing_whatever_it_tries(bad: Function, shelves: Small, becoming: Behave) -> None:
    if shelves.on_sqlite and bad is writes_by_the_driver:
        pytest.skip("an error of the driver's own, as when another database is lost")
    becoming(bad)
    shelves.sql(CHANGE)
    shelves.runs()
    assert shelves.value("SELECT max(touched) FROM shelf") == 0
    assert shelves.explain(2, "value").state == "failed"
    assert [one.value for one in shelves.all(Shelf) if one.id != 2] == [11, 13]
    assert shelves.runs() == []
    assert shelves.is_quiet()


@pytest.mark.parametrize("how", ["COMMIT", "ROLLBACK"])
def test_a_function_that_ends_the_transaction_loses_no_change(how: str, shelves: Small, becoming: Behave) -> None:
    becoming(lambda shelf: aw.session(shelf).connection().connection.cursor().execute(how) and 5)
    shelves.sql(CHANGE)
    shelves.runs()
    assert [one.value for one in shelves.all(Shelf) if one.id != 2] == [11, 13]
    shelves.sql("UPDATE shelf SET sort = 'good'")
    shelves.runs()
    assert [one.value for one in shelves.all(Shelf)] == [11, 12, 13]
    assert shelves.is_quiet()

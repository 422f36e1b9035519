"""A round that matches many objects notes them in slices: nobody waits for all, none is lost or noted twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, insert, select, text

import afterwork as aw
from afterwork.events import Event, Reached
from afterwork.sources.timer import noting
from afterwork.store.timers import Cancellation, Matches
from tests.support.death import Death
from tests.support.office import Office, an_office

SLICE, TASKS = 4, 14
TEN = timedelta(minutes=10)


@pytest.fixture
def office(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Tasks whose number says how often they were done; the criteria doesn't ask for it."""
    monkeypatch.setattr(noting, "MATCHES_PER_SLICE", SLICE)
    return an_office(engine)


def every_task(office: Office, **others: Any) -> aw.Every:
    return aw.Every(TEN, criteria=select(office.task).order_by(office.task.id), **others)


def counts(office: Office) -> list[int]:
    with office.engine.connect() as connection:
        return list(connection.execute(select(office.task.done).order_by(office.task.id)).scalars())


@contextmanager
def rows_by_transaction(engine: Engine) -> Iterator[list[int]]:
    """How many rows of matches and slices each transaction has inserted or updated."""
    counts = [0]

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if statement.startswith(
            ("INSERT INTO afterwork_match", "INSERT INTO afterwork_unnoted_match", "UPDATE afterwork_match")
        ):
            counts[-1] += len(parameters) if many else 1

    def end(connection: Any) -> None:
        counts.append(0)

    heard: list[tuple[str, Any]] = [("before_cursor_execute", note), ("commit", end), ("rollback", end)]
    for name, listener in heard:
        event.listen(engine, name, listener)
    try:
        yield counts
    finally:
        for name, listener in heard:
            event.remove(engine, name, listener)


def a_server(office: Office, dies_at: tuple[str, str] | None = None, time: int = 1) -> bool:
    """A server runs all that is due. Returns whether it has died at a point, when it came there so many times."""
    reached = 0

    def listen(event: Event) -> None:
        nonlocal reached
        if isinstance(event, Reached) and (event.point, event.work) == dies_at:
            reached += 1
            if reached == time:
                raise Death

    try:
        aw.Afterwork(office.base, clock=office.clock, on_event=listen).run_until_idle(office.engine)
    except Death:
        return True
    return False


@pytest.mark.parametrize("again", [False, True], ids=["for the first time", "after all have failed"])
def test_no_transaction_notes_more_than_a_slice(office: Office, again: bool) -> None:
    office.timer(when=every_task(office))
    office.open(tasks=TASKS, bad=lambda number: again)
    if again:
        office.run()
        office.clock.advance(TEN)

    with rows_by_transaction(office.engine) as rows:
        assert len(office.run()) == TASKS

    slices = -(-TASKS // SLICE)
    assert max(rows) <= SLICE + slices


def test_the_transaction_of_a_round_writes_a_row_for_each_slice(office: Office) -> None:
    """So many matches at once would take seconds; so many slices don't."""
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS)

    with rows_by_transaction(office.engine) as rows:
        assert office.app.run_now(office.engine, "Work") == TASKS

    assert sum(rows) < TASKS
    assert office.sql("SELECT count(*) FROM afterwork_match") == SLICE


def test_matches_of_all_slices_run_in_the_order_of_the_criteria(office: Office) -> None:
    criteria = select(office.task).order_by(office.task.id.desc())
    office.timer(when=aw.Every(TEN, criteria=criteria))
    office.open(tasks=TASKS)

    assert office.matched() == list(range(TASKS, 0, -1))
    assert office.matched() == []
    assert office.matched(TEN) == list(range(TASKS, 0, -1))


DEATHS = [
    ((point, of + "Work"), time)
    for of, time in [("round of ", 1), ("slice of ", 1), ("slice of ", 3)]
    for point in ("before commit", "after commit")
]


@pytest.mark.parametrize(("point", "time"), DEATHS)
@pytest.mark.parametrize("bad", [False, True], ids=["for the first time", "after all have failed"])
def test_wherever_servers_die_each_object_is_matched_once(
    office: Office, point: tuple[str, str], time: int, bad: bool
) -> None:
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS, bad=lambda number: bad)
    if bad:
        office.run()
        office.sql("UPDATE task SET bad = false")
        office.clock.advance(TEN)

    assert a_server(office, point, time)
    a_server(office)

    assert counts(office) == [1] * TASKS
    assert office.sql("SELECT count(*) FROM afterwork_unnoted_match") == 0


def test_two_servers_that_search_at_the_same_time_match_each_object_once(office: Office) -> None:
    others: list[bool] = []

    def meanwhile(given: Any) -> None:
        if not others:
            others.append(True)
            a_server(office)

    office.timer(when=every_task(office, before=meanwhile))
    office.open(tasks=TASKS)

    a_server(office)

    assert counts(office) == [1] * TASKS


def test_while_the_objects_are_searched_for_others_may_write(office: Office) -> None:
    def write(given: Any) -> None:
        other = create_engine(office.engine.url)
        with other.begin() as connection:
            if other.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA busy_timeout = 0")
            connection.execute(insert(office.task).values(id=1000, bad=False, done=0))
        other.dispose()

    office.timer(when=every_task(office, before=write))
    office.open()

    office.run()

    assert len(counts(office)) == 1


def test_a_round_by_hand_matches_nothing_that_is_still_to_be_noted(office: Office) -> None:
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS)

    assert office.app.run_now(office.engine, "Work") == TASKS
    office.sql("INSERT INTO task (id, done, bad) VALUES (1000, 0, false)")
    assert office.app.run_now(office.engine, "Work") == 1
    a_server(office, ("after commit", "slice of Work"))
    assert office.app.run_now(office.engine, "Work") < TASKS

    office.sql("UPDATE afterwork_timer SET paused = true")
    *_, last = office.matched()
    assert last == 1000 or counts(office)[-1] >= 1
    assert min(counts(office)) == 1


def test_the_next_round_waits_until_the_last_slice_of_this_one_has_run(office: Office) -> None:
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS)
    a_server(office, ("after commit", "round of Work"))
    office.sql("UPDATE afterwork_match SET done = execute_earliest")

    office.clock.advance(TEN)
    a_server(office, ("after commit", "slice of Work"))

    assert office.sql("SELECT count(*) FROM afterwork_unnoted_match") == 2


def test_what_is_still_to_be_noted_is_shown_and_can_be_cancelled(office: Office) -> None:
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS)
    office.app.run_now(office.engine, "Work")
    (timer,) = office.app.insight(office.engine).timers()
    assert (timer.matches, str(timer.left)) == (TASKS, str(TASKS))

    assert office.app.control(office.engine).cancel("Work") == Cancellation(TASKS, 0)
    office.sql("UPDATE afterwork_timer SET paused = true")
    assert office.run() == []


def test_a_slice_that_the_database_refuses_fails_alone(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.timer("Work", when=every_task(office))
    office.open(tasks=TASKS)
    add = Matches.add

    def refusing(self: Matches, connection: Any, rows: Any) -> None:
        if any(row["root_id"] == f"Task!{SLICE + 1}" for row in rows):
            connection.execute(text("SELECT no_such_column"))
        add(self, connection, rows)

    monkeypatch.setattr(Matches, "add", refusing)
    office.run()

    assert counts(office) == [1] * SLICE + [0] * SLICE + [1] * (TASKS - 2 * SLICE)
    (timer,) = office.app.insight(office.engine).timers()
    assert (timer.failed, "no_such_column" in str(timer.error)) == (SLICE, True)

"""A run that goes on says how far it is, and can be cancelled."""

import time
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadRequest
from afterwork.insight import TimerView
from afterwork.store.progress import ReportedProgress
from afterwork.store.tables import lease as leases
from afterwork.store.timers import Cancellation
from tests.support.office import Office
from tests.support.waiting import eventually
from tests.support.world import statements

TEN = timedelta(minutes=10)
KINDS = pytest.mark.parametrize("external", [False, True], ids=["inside", "external"])


def working(office: Office, work: Any, tasks: int = 1, **parts: Any) -> None:
    """An office with a timer whose action does the task, after `work`."""

    def do(self: Any) -> None:
        self.root.done += 1
        work(self)

    criteria = select(office.task).where(office.task.done == 0).order_by(office.task.id)
    office.timer(when=aw.Every(TEN, criteria=criteria), work=aw.action(do), **parts)
    office.open(tasks)


def seen(office: Office) -> TimerView:
    """The timer, as another process sees it now."""
    (timer,) = office.app.insight(office.engine).timers()
    return timer


def cancel(office: Office) -> Cancellation:
    return office.app.control(office.engine).cancel("Work")


def shows(office: Office, external: bool) -> bool:
    """Whether a run can be seen, and asked to stop, while it goes on."""
    return external or office.engine.dialect.name == "postgresql"


@KINDS
def test_others_see_how_far_a_run_is_for_as_long_as_it_goes_on(office: Office, external: bool) -> None:
    def work(self: Any) -> None:
        aw.progress(40, 100)
        office.log.append(seen(office).running)

    working(office, work, external=external, lane=None)
    office.run()

    said = [ReportedProgress("Task!1", 40, 100, office.clock.now(), stopping=False)]
    assert office.log == [said if shows(office, external) else ()]
    assert (seen(office).running, seen(office).left.number) == ((), 0)


def test_a_round_shows_how_many_of_its_matches_are_done(office: Office) -> None:
    def work(self: Any) -> None:
        office.log.append((seen(office).matches, seen(office).left.number))

    working(office, work, tasks=3, external=True)
    office.run()

    assert office.log == [(3, 3), (3, 2), (3, 1)]


def test_it_is_written_once_a_second_at_most(office: Office) -> None:
    def work(self: Any) -> None:
        with statements(office.engine) as sent:
            for done in range(50):
                aw.progress(done)
            office.clock.advance(timedelta(seconds=1))
            aw.progress(50)
        office.log.append(
            len([statement for statement in sent if statement.startswith("INSERT INTO afterwork_progress")])
        )
        office.log.append(seen(office).running[0].done)

    working(office, work, external=True)
    office.run()

    assert office.log == [2, 50]


def test_it_never_waits_for_others_who_write(office: Office) -> None:
    def work(self: Any) -> None:
        with office.engine.connect() as other, other.begin():
            other.execute(text("INSERT INTO task (id, done, bad) VALUES (99, 1, false)"))
            other.execute(text("INSERT INTO afterwork_progress (ticket, at) SELECT id, created FROM afterwork_match"))
            began = time.monotonic()
            aw.progress(1, 2)
            office.log.append(time.monotonic() - began < 1)

    working(office, work, external=True)

    assert office.run() == [("Work", "Task!1", True)]
    assert office.log == [True]


def test_outside_of_a_run_it_does_nothing() -> None:
    aw.progress(1, 2)


@pytest.mark.parametrize(("done", "total"), [(-1, None), (1, -1), (0.5, 1), (2**63, None), (None, 1)])
def test_what_is_no_count_is_refused(done: Any, total: Any) -> None:
    with pytest.raises(BadRequest, match=r"it takes whole numbers from 0 on"):
        aw.progress(done, total)


# Cancelling what goes on.


@KINDS
def test_a_run_that_is_cancelled_stops_at_its_next_word_and_nothing_of_it_is_saved(
    office: Office, external: bool
) -> None:
    def work(self: Any) -> None:
        if shows(office, external) and office.log == []:
            office.log.append(cancel(office))
            office.clock.advance(timedelta(seconds=1))
            aw.progress(1, 2)
            office.log.append("went on")

    def failed(self: Any, error: Exception) -> None:
        office.log.append("told")

    retry = aw.Retry(attempts=3, backoff=timedelta(minutes=1))
    working(office, work, tasks=3, external=external, retry=retry, failed=aw.on_exception(failed))
    ran = office.run()

    if not shows(office, external):
        assert ran == [("Work", f"Task!{number}", True) for number in (1, 2, 3)]  # cancelling waits for the run
        return
    # An external run has begun alone; a batch that is inside has claimed all of them.
    assert office.log == [Cancellation(2, 1) if external else Cancellation(0, 3)]
    assert {ok for _, _, ok in ran} == {False}
    assert office.sql("SELECT sum(done) FROM task") == 0
    assert (seen(office).failed, seen(office).error, seen(office).left.number) == (0, None, 0)
    assert office.run(timedelta(minutes=5)) == []
    assert [ok for _, _, ok in office.run(timedelta(minutes=5))] == [True] * 3


def test_an_external_run_that_says_nothing_is_cancelled_at_its_end(office: Office) -> None:
    def work(self: Any) -> None:
        if office.log == []:
            office.log.append(cancel(office))
            office.log.append(seen(office).running[0].stopping)

    working(office, work, external=True)

    assert office.run() == [("Work", "Task!1", False)]
    assert office.log == [Cancellation(0, 1), True]
    assert office.sql("SELECT done FROM task") == 0
    assert office.matched(TEN) == [1]
    assert office.sql("SELECT done FROM task") == 1


def test_code_that_lets_no_exception_pass_does_not_save_a_cancelled_run(office: Office) -> None:
    def work(self: Any) -> None:
        cancel(office)
        try:
            aw.progress(1)
        except Exception:
            office.log.append("swallowed")

    working(office, work, external=True)

    assert office.run() == [("Work", "Task!1", False)]
    assert (office.log, office.sql("SELECT done FROM task")) == (["swallowed"], 0)


def test_a_cancelled_run_whose_server_is_gone_is_not_begun_again(office: Office) -> None:
    working(office, lambda self: office.log.append("ran"), external=True)
    office.app.run_now(office.engine, "Work")
    with office.engine.begin() as connection:
        now = office.clock.now()
        lease = {"run": "a-run", "lane": "main", "server": 99, "epoch": 1, "taken": now, "expires": now}
        match = connection.execute(text("SELECT id FROM afterwork_match")).scalar()
        connection.execute(insert(leases).values(ticket=match, **lease))

    assert cancel(office) == Cancellation(0, 1)
    # It has ended, and the timer, which is due, matches the object anew.
    assert office.run() == [("Work", "Task!1", False), ("Work", "Task!1", True)]
    assert (office.log, office.sql("SELECT count(*) FROM afterwork_lease")) == (["ran"], 0)


def test_a_run_that_ended_just_before_is_not_cancelled_when_it_matches_again(office: Office) -> None:
    """It was asked to stop when all that it had to look at had been looked at, and failed by itself."""

    def work(self: Any) -> None:
        if office.log == []:
            office.log.append(cancel(office))
            raise ValueError

    working(office, work, external=True)

    assert office.run() == [("Work", "Task!1", False)]
    assert office.run(TEN) == [("Work", "Task!1", True)]


def test_what_a_server_runs_is_cancelled_from_elsewhere(office: Office) -> None:
    def work(self: Any) -> None:
        office.log.append("begun")
        while True:
            office.clock.advance(timedelta(seconds=1))
            aw.progress(len(office.log))

    working(office, work, external=True, lane=None)

    with office.app.serving(office.engine):
        eventually(lambda: seen(office).running)
        office.app.control(office.engine).pause("Work")
        assert cancel(office) == Cancellation(0, 1)
        eventually(lambda: seen(office).left.number == 0)

    assert (office.log, seen(office).running, office.sql("SELECT done FROM task")) == (["begun"], (), 0)


def test_others_see_how_far_the_run_of_a_ticket_is(office: Office) -> None:
    def tidy(self: Any) -> None:
        aw.progress(3)
        office.log.extend(office.app.insight(office.engine).tickets().tickets)

    office.task.tidy = aw.method(external=True)(tidy)
    office.open(tasks=1)
    with Session(office.engine) as session, session.begin():
        aw.later(session.get_one(office.task, 1).tidy)
    office.run()

    (ticket,) = office.log
    assert (ticket.state, ticket.said.done, ticket.said.total) == ("running", 3, None)
    (ended,) = office.app.insight(office.engine).tickets().tickets
    assert (ended.state, ended.said) == ("done", None)

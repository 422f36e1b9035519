"""Whether all is well, at one glance."""

from datetime import UTC, datetime, timedelta

from afterwork.insight import Status, TimerView
from afterwork.insight.history import RunMinute
from afterwork.insight.once import OnceView
from afterwork.insight.overview import attention, last_hour
from afterwork.store.bounded_count import NONE, Count
from tests.insight.overview_scene import NOON, minute

WELL = Status({}, 0, None, ["1 (process 7 on here)"], [], NONE, None)


def timer(*, paused: bool = False, late: timedelta = timedelta(0), known: bool = True) -> TimerView:
    due = NOON - late
    return TimerView("ExportOrder", "Every hour", None, due, paused, None, None, None, 0, 0, NONE, None, known)


def told(
    status: Status = WELL,
    minutes: list[RunMinute] | None = None,
    timers: list[TimerView] | None = None,
    once: list[OnceView] | None = None,
) -> list[str]:
    return [need.what for need in attention(status, minutes or [], timers or [], once or [], NOON)]


def test_where_all_is_well_nothing_needs_attention() -> None:
    assert told(minutes=[minute(1, done=100)], timers=[timer()]) == []


def test_without_a_server_nothing_is_done() -> None:
    (found,) = attention(Status({"main": Count(3)}, 0, timedelta(hours=1), [], [], NONE, None), [], [], [], NOON)

    assert (found.what, found.is_urgent, found.command) == ("No server is running", True, "serve")


def test_a_ticket_that_waits_for_long_is_told() -> None:
    waiting = Status({"main": Count(3)}, 0, timedelta(minutes=5), WELL.servers, [], NONE, None)

    assert told(waiting) == ["The oldest ticket has waited for 5 minutes"]


def test_a_paused_lane_is_told_with_what_waits_in_it() -> None:
    paused = Status({"main": Count(1), "mail": Count(1200)}, 0, timedelta(hours=2), WELL.servers, ["mail"], NONE, None)

    assert told(paused) == ["The lane mail is paused, and 1,200 tickets wait in it"]


def test_caches_that_are_stale_for_long_are_told() -> None:
    assert told(Status({}, 0, None, WELL.servers, [], Count(7), timedelta(seconds=59))) == []
    assert told(Status({}, 0, None, WELL.servers, [], Count(7), timedelta(seconds=61))) == [
        "7 caches are stale, the first for a minute"
    ]


def test_timers_that_are_paused_or_late_are_told() -> None:
    assert told(timers=[timer(paused=True, late=timedelta(hours=1))]) == ["The timer ExportOrder is paused"]
    assert told(timers=[timer(late=timedelta(minutes=10))]) == ["The timer ExportOrder is late by 10 minutes"]
    assert told(timers=[timer(late=timedelta(minutes=10), known=False)]) == []


def test_works_that_failed_are_named_those_that_failed_most_first() -> None:
    minutes = [minute(n, f"Work{n}", failed=n) for n in range(6)]

    assert told(minutes=minutes) == [
        "Work5 has failed 5 times within an hour",
        "Work4 has failed 4 times within an hour",
        "Work3 has failed 3 times within an hour",
        "2 more works have failed within an hour",
    ]


def test_one_more_work_that_failed_is_told_as_one() -> None:
    assert told(minutes=[minute(n, f"Work{n}", failed=1) for n in range(4)])[-1] == (
        "1 more work has failed within an hour"
    )


def test_what_runs_once_and_has_failed_is_urgent() -> None:
    failed = OnceView("Upgrade.fill", "failed", NOON, NOON, 1.0, None, "ValueError: no", None, known=True)
    (found,) = attention(WELL, [], [], [failed], NOON)

    assert (found.what, found.is_urgent) == ("Upgrade.fill has failed", True)
    assert found.command == "once --retry Upgrade.fill"


def test_the_last_hour_has_all_its_minutes() -> None:
    found = last_hour([minute(59, done=2), minute(0, done=5, failed=1), minute(0, "Order.ship", done=1)], NOON)

    assert len(found) == 60
    assert found[0].minute == datetime(2026, 3, 1, 11, 1, tzinfo=UTC)
    assert (found[0].done["ticket"], found[0].failed) == (2, 0)
    assert (found[-1].done["ticket"], found[-1].done["cache"], found[-1].failed) == (6, 0, 1)
    assert sum(one.done["ticket"] for one in found) == 8

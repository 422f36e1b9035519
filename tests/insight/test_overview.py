"""Whether all is well, at one glance."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from afterwork.insight import Attention, Finding, OnceView, TimerView
from afterwork.insight.attention import Scene, attention
from afterwork.insight.caches import FailedValues
from afterwork.insight.failures import FailureGroup, group_id
from afterwork.insight.lanes import LaneView
from afterwork.insight.overview import last_hour
from afterwork.insight.servers import PresenceState, ServerView
from afterwork.insight.transactions import Blocker, OpenTransaction
from afterwork.insight.verdict import verdict
from afterwork.store.bounded_count import NONE, Count
from afterwork.store.history import RunRecord
from afterwork.store.routing import Routing
from tests.insight.overview_scene import NOON, minute


def server(presence: PresenceState = "alive", number: int = 1) -> ServerView:
    return ServerView(number, "here", 7, NOON, NOON, presence, (), Routing.read(None), (), False)


WELL = Scene(NOON, servers=[server()])


def told(**given: Any) -> list[str]:
    return [need.what for need in attention(replace(WELL, **given))]


def only(**given: Any) -> Attention:
    (found,) = attention(replace(WELL, **given))
    return found


def timer(
    *, paused: bool = False, late: timedelta = timedelta(0), known: bool = True, error: str | None = None
) -> TimerView:
    due = NOON - late
    return TimerView("ExportOrder", "Every hour", None, due, paused, None, None, None, 0, 0, NONE, error, known)


def lane(*, paused: bool = False, waiting: int = 0, since: timedelta | None = None) -> LaneView:
    oldest = None if since is None else NOON - since
    return LaneView("mail", paused, Count(waiting), NONE, NONE, oldest, (), None)


def run(error: str, root: str = "Order!1", trace: str | None = None, ago: int = 0) -> RunRecord:
    at = NOON - timedelta(minutes=ago)
    return RunRecord(root, root, "Order.ship", root, "ticket", 1, at, 0.1, "failed", 1, error, trace)


def group(*runs: RunRecord) -> FailureGroup:
    return FailureGroup(group_id(runs[0]), "Order.ship", "ticket", runs[0].error or "", runs, (), False)


def test_where_all_is_well_nothing_needs_attention() -> None:
    assert told(minutes=[minute(1, done=100)], timers=[timer()], lanes=[lane()]) == []


def test_without_a_server_nothing_is_done() -> None:
    found = only(servers=[], lanes=[lane(waiting=3, since=timedelta(hours=1))])

    assert (found.what, found.level, found.command) == ("No server is running", "alarm", "serve")


def test_a_server_that_is_silent_is_an_alarm_and_one_that_was_killed_a_warning() -> None:
    found = attention(replace(WELL, servers=[server(), server("gone", 2), server("silent", 3)]))

    assert [(need.what, need.level) for need in found] == [
        ("Server 3 (process 7 on here) gives no sign of life", "alarm"),
        ("Server 2 (process 7 on here) has ended without being told to stop", "warning"),
    ]


def test_a_lane_that_stands_still_is_told() -> None:
    assert told(lanes=[lane(waiting=3, since=timedelta(minutes=5))]) == [
        "3 tickets wait in the lane mail, the first for 5 minutes"
    ]
    assert told(lanes=[lane(waiting=1, since=timedelta(seconds=59))]) == []


def test_a_paused_lane_is_a_note_with_what_waits_in_it() -> None:
    found = only(lanes=[lane(paused=True, waiting=1200, since=timedelta(hours=2))])

    assert (found.what, found.level) == ("The lane mail is paused, and 1,200 tickets wait in it", "note")
    assert found.remedy is not None
    assert found.remedy.path == "/lanes/mail/resume"


def test_caches_that_are_stale_for_long_are_told() -> None:
    assert told(stale=Count(7), stale_for=timedelta(seconds=59)) == []
    assert told(stale=Count(7), stale_for=timedelta(seconds=61)) == ["7 caches are stale, the first for a minute"]
    assert told(stale=Count(1), stale_for=timedelta(hours=3)) == ["1 cache is stale, the first for 3 hours"]


def test_changes_that_wait_in_the_journal_for_long_are_told() -> None:
    assert told(changes=5, changes_for=timedelta(minutes=10)) == [
        "5 changes wait to be matched, the first for 10 minutes"
    ]


def test_transactions_that_are_open_for_long_or_block_others_are_told() -> None:
    assert told(longest=OpenTransaction(9, 299.0)) == []
    assert told(longest=OpenTransaction(9, 600.0)) == ["A transaction has been open for 10 minutes"]
    assert told(longest=OpenTransaction(9, 90.0, is_idle=True)) == [
        "A transaction has been open for 2 minutes, and is idle"
    ]
    blocker = Blocker(9, "psql", "idle in transaction", 20.0, 1)
    assert told(blockers=[blocker]) == ["1 connection waits for locks of pid 9 (psql)"]


def test_timers_that_are_paused_late_or_fail_are_told() -> None:
    assert told(timers=[timer(paused=True, late=timedelta(hours=1))]) == ["The timer ExportOrder is paused"]
    assert told(timers=[timer(late=timedelta(minutes=10))]) == ["The timer ExportOrder is late by 10 minutes"]
    assert told(timers=[timer(late=timedelta(minutes=10), known=False)]) == []
    assert only(timers=[timer(error="ValueError: no")]).error == "ValueError: no"


def test_works_that_failed_are_named_those_that_failed_most_first() -> None:
    minutes = [minute(n, f"Work{n}", failed=n) for n in range(13)]

    assert told(minutes=minutes)[:2] == [
        "Work12 has failed 12 times within an hour",
        "Work11 has failed 11 times within an hour",
    ]
    assert told(minutes=minutes)[-1] == "2 more works have failed within an hour"
    assert told(minutes=minutes[:12])[-1] == "1 more work has failed within an hour"


def test_a_failure_is_told_with_its_error_since_when_and_on_what() -> None:
    newest, first = run("ValueError: no\nmore", "Order!2"), run("ValueError: no", ago=30)
    found = only(minutes=[minute(0, "Order.ship", failed=2)], failures=[group(newest, first)])

    assert (found.error, found.since, found.last_object) == ("ValueError: no", first.ended, "Order!2")


def test_what_failed_and_has_been_done_since_is_a_note() -> None:
    minutes = [minute(9, "Order.ship", failed=1), minute(3, "Order.ship", done=1)]

    assert only(minutes=minutes).level == "note"
    assert only(minutes=minutes[:1]).level == "alarm"


def test_values_that_stay_failed_are_told_when_nothing_fails_any_more() -> None:
    found = only(failed_values=[FailedValues("Order.total", Count(3), "Order!1", "ValueError: no")])

    assert (found.what, found.error) == ("3 values of Order.total have failed", "ValueError: no")


def test_runs_that_were_put_off_are_a_warning() -> None:
    put_off = replace(minute(1, "Order.ship"), put_off=4)

    assert only(minutes=[put_off]).what == "Order.ship was put off 4 times within 10 minutes"
    assert told(minutes=[replace(minute(30, "Order.ship"), put_off=4)]) == []


def test_what_runs_once_and_has_failed_is_an_alarm() -> None:
    failed = OnceView("Upgrade.fill", "failed", NOON, NOON, 1.0, None, "ValueError: no", None, known=True)
    found = only(once=[failed])

    assert (found.what, found.level) == ("Upgrade.fill has failed", "alarm")
    assert found.command == "once --retry Upgrade.fill"


@pytest.mark.parametrize(
    ("topic", "is_note", "level"),
    [("capture", False, "alarm"), ("indexes", False, "warning"), ("vacuum", True, "note")],
)
def test_what_a_check_finds_is_told(topic: str, is_note: bool, level: str) -> None:
    found = only(findings=[Finding("a trigger is gone", False, "Mend it", is_note, topic)])

    assert (found.what, found.advice, found.level) == ("A trigger is gone", "Mend it", level)
    assert told(findings=[Finding("a trigger is there", True, topic=topic)]) == []


def test_the_verdict_is_one_sentence_on_what_is_worst() -> None:
    since = NOON - timedelta(minutes=9)
    first, second = (Attention(f"work {n}", "…", "", "", "", "alarm", since=since) for n in "ab")
    late, note = (Attention("timer x", "The timer x is late", "", "", "", level) for level in ("warning", "note"))

    assert str(verdict([first, second, late], NONE, None)) == (
        "Two things fail since 2026-03-01 11:51 UTC; nothing waits."
    )
    assert str(verdict([first], Count(1), timedelta(seconds=9))) == (
        "a fails since 2026-03-01 11:51 UTC; 1 ticket waits, the first for 9 s."
    )
    assert (verdict([late, note], NONE, None).what, verdict([late], NONE, None).light) == (
        "The timer x is late",
        "amber",
    )
    assert str(verdict([note], Count(19), timedelta(hours=2))) == (
        "All is well; 19 tickets wait, the first for 2 hours."
    )


TRACE = 'Traceback (most recent call last):\n  File "/a/shop.py", line 7, in ship\n    raise ValueError\n'


def test_failures_at_the_same_place_are_one_group_whatever_they_say() -> None:
    same = run("ValueError: order 7", trace=TRACE), run("ValueError: order 8", trace=TRACE)
    elsewhere = run("ValueError: order 7", trace=TRACE.replace("line 7", "line 8"))

    assert group_id(same[0]) == group_id(same[1]) != group_id(elsewhere)
    assert group_id(run("There is no Order!7")) == group_id(run("There is no Order!8")) != group_id(run("No such work"))


def test_the_last_hour_has_all_its_minutes() -> None:
    found = last_hour([minute(59, done=2), minute(0, done=5, failed=1), minute(0, "Order.ship", done=1)], NOON)

    assert len(found) == 60
    assert found[0].minute == datetime(2026, 3, 1, 11, 1, tzinfo=UTC)
    assert (found[0].done["ticket"], found[0].failed) == (2, 0)
    assert (found[-1].done["ticket"], found[-1].done["cache"], found[-1].failed) == (6, 0, 1)
    assert sum(one.done["ticket"] for one in found) == 8

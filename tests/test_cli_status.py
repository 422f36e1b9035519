"""`afterwork status`: whether all is well, once or again and again."""

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console
from sqlalchemy.exc import OperationalError

import afterwork as aw
from afterwork.cli import live
from afterwork.cli.live import OverviewReading
from afterwork.cli.overview_text import status_lines, status_view
from afterwork.cli.printing import sparkline
from afterwork.insight import Attention, Latency, Overview, Status, Verdict
from afterwork.insight.overview import last_hour
from afterwork.store.bounded_count import NONE, Count
from tests.insight.overview_scene import minute
from tests.support.command_line import APP, run, told

NOON = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)

BUSY = Overview(
    Status(
        {"mail": Count(1), "main": Count(2)},
        1,
        timedelta(seconds=12),
        ["1 (process 7 on here)"],
        ["mail"],
        Count(3),
        None,
    ),
    Latency(10, 0.012, 1.25),
    5,
    last_hour([minute(0, done=1234), minute(30, done=617), minute(30, failed=5)], NOON),
    [Attention("lane mail", "The lane mail is paused", "Resume it.", "/lanes", "resume mail", "alarm")],
    Verdict("red", "The lane mail is paused", None, "3 tickets wait, the first for 12 s"),
)
WELL = Verdict("green", "All is well", None, "nothing waits")
IDLE = Overview(Status({}, 0, None, [], [], NONE, None), Latency(0, None, None), 0, last_hour([], NOON), [], WELL)


def twin(words: str) -> str:
    verb, _, rest = words.partition(" ")
    return f"afterwork {verb} shop:app {rest}"


def shown(looked: OverviewReading, width: int = 100) -> str:
    """What stands in a terminal of some width."""
    console = Console(file=io.StringIO(), record=True, width=width)
    console.print(live.view(looked, width, twin))
    return console.export_text()


def test_bars_grow_with_the_numbers_and_nothing_is_a_dot() -> None:
    assert sparkline([0, 1, 4, 8], 60) == "·▁▄█"
    assert sparkline([], 60) == ""


def test_bars_of_neighbours_are_one_where_there_is_less_room() -> None:
    assert sparkline([1, 1, 0, 0, 4, 4], 3) == "▂·█"
    assert len(sparkline([1] * 60, 13)) <= 13


def test_the_overview_is_told_with_the_hour_and_what_to_say() -> None:
    told = "\n".join(status_lines(BUSY, twin))

    assert told.startswith("The lane mail is paused; 3 tickets wait, the first for 12 s.\n")
    assert "waiting  1 in mail, 2 in main; the oldest for 12.0 s" in told
    assert "latency  median 12 ms, 99th percentile 1.2 s" in told
    assert "▄" in told.partition("ticket")[2].partition("1,851")[0]
    assert "failed   ·····" in told
    assert "! The lane mail is paused. Resume it.\n      afterwork resume shop:app mail" in told
    assert max(map(len, told.splitlines())) <= 80


def test_kinds_that_did_nothing_are_left_out() -> None:
    told = "\n".join(status_lines(IDLE, twin))

    assert "ticket" not in told
    assert "latency  no run has ended within an hour" in told
    assert "Nothing needs attention." in told


def test_as_json_what_was_there_is_there_and_more() -> None:
    found, waiting = status_view(BUSY), {"mail": Count(1), "main": Count(2)}

    assert (found["waiting"], found["running"], found["paused"]) == (waiting, 1, ["mail"])
    assert (found["failed"], found["attention"]) == (5, BUSY.attention)


@pytest.mark.parametrize("width", [30, 60, 200])
def test_a_look_fits_into_terminals_of_any_width(width: int) -> None:
    lines = shown(OverviewReading(NOON, BUSY, NOON), width).splitlines()

    assert max(map(len, lines)) <= width
    assert "The lane mail is paused" in " ".join(" ".join(lines).split())
    assert any("1,851" in line and "█" in line for line in lines)


def lost() -> OperationalError:
    return OperationalError("SELECT secret", {}, Exception("connection refused"))


def test_watching_copes_with_a_database_that_is_lost_and_comes_back() -> None:
    clock = aw.ManualClock()
    answers: Iterator[Overview | OperationalError] = iter([BUSY, lost(), IDLE])

    def read() -> Overview:
        clock.advance(timedelta(seconds=2))
        answer = next(answers)
        if isinstance(answer, OperationalError):
            raise answer
        return answer

    looks = live.readings(read, clock)
    well, without, again = (next(looks) for _ in range(3))

    assert well == OverviewReading(clock.now() - timedelta(seconds=4), BUSY, clock.now() - timedelta(seconds=4))
    assert (without.overview, without.read_at) == (BUSY, well.now)
    assert "The database says: connection refused Trying again. Below is the state at" in shown(without)
    assert "secret" not in shown(without)
    assert (again.overview, again.problem) == (IDLE, "")


def test_a_database_that_is_lost_from_the_beginning_is_said_to_be() -> None:
    assert "connection refused" in shown(OverviewReading(NOON, problem="The database says: connection refused"))


def test_watching_shows_one_look_after_the_other_until_ctrl_c() -> None:
    console = Console(file=io.StringIO(), record=True, width=100, force_terminal=True)
    pauses = iter([None, None, KeyboardInterrupt()])

    def pause() -> None:
        if (one := next(pauses)) is not None:
            raise one

    def looks() -> Iterator[OverviewReading]:
        yield from (OverviewReading(NOON + timedelta(seconds=n), BUSY, NOON) for n in range(10))

    live.show_readings(looks(), console, twin, pause)

    said = console.export_text()
    assert "12:00:32" in said
    assert "12:00:33" not in said
    assert console.file.getvalue().endswith("\x1b[?25h")  # type: ignore[attr-defined] # the cursor is there again


def test_that_rich_is_missing_is_said_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "rich"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.delitem(sys.modules, "afterwork.cli.live")
    monkeypatch.delattr("afterwork.cli.live")

    said = told(run("status", APP, "--database", "sqlite://", "--watch"), exit_code=1)

    assert "pip install 'afterwork[cli]'" in said

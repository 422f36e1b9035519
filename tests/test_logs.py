"""Log lines: one for each event, for people or as JSON, and those of jobs with their run."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.cli import main
from afterwork.events import (
    Acted,
    Broken,
    Event,
    Facts,
    Failed,
    FellAsleep,
    PutOff,
    ServerStarted,
    log,
)
from afterwork.logs import HumanFormatter, JsonFormatter, RunFilter
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method
    def ship(self) -> None:
        logging.getLogger("carrier").warning("no answer\nfrom %s", "the carrier")


@contextmanager
def logged(formatter: logging.Formatter, level: int = logging.DEBUG) -> Iterator[list[str]]:
    """The lines that are written meanwhile."""
    text = io.StringIO()
    lines: list[str] = []
    handler = logging.StreamHandler(text)
    handler.setFormatter(formatter)
    handler.addFilter(RunFilter())
    loggers = [logging.getLogger(name) for name in ("afterwork", "carrier")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield lines
    finally:
        lines += text.getvalue().splitlines()
        for logger, (old, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(handler)
            logger.setLevel(old)
            logger.propagate = propagate


MOMENT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
FACTS = Facts("ticket", "7", 2, None, MOMENT, 0.25, "Traceback")


def the_only(lines: list[str]) -> dict[str, Any]:
    (line,) = lines
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_run_without_a_root_is_named_by_its_work_alone() -> None:
    with logged(JsonFormatter()) as lines:
        log(Failed("purge", None, "a run", "ValueError: no", FACTS))

    assert the_only(lines)["message"] == "purge failed (run a run): ValueError: no"


def test_a_line_of_json_has_the_event_and_its_fields() -> None:
    with logged(JsonFormatter()) as lines:
        log(Failed("Parcel.ship", "Parcel!3", "a run", "ValueError: no", FACTS))

    found = the_only(lines)
    assert datetime.fromisoformat(found.pop("time")).tzinfo == UTC
    assert found == {
        "level": "warning",
        "logger": "afterwork",
        "message": "Parcel.ship on Parcel!3 failed (run a run): ValueError: no",
        "event": "Failed",
        "work": "Parcel.ship",
        "root_id": "Parcel!3",
        "run": "a run",
        "error": "ValueError: no",
        "source": "ticket",
        "ticket": "7",
        "attempt": 2,
        "due": None,
        "ended": "2026-03-01T09:30:00+00:00",
        "took": 0.25,
        "trace": "Traceback",
    }


def test_what_a_run_took_and_how_long_it_waits_are_two_things() -> None:
    with logged(JsonFormatter()) as lines:
        log(PutOff("Parcel.ship", None, "a run", "no", 2, 60.0, FACTS))

    found = the_only(lines)
    assert (found["took"], found["seconds"]) == (0.25, 60.0)


def test_an_unexpected_error_comes_with_its_traceback() -> None:
    try:
        raise ValueError("no\nfurther")
    except ValueError as error:
        with logged(JsonFormatter()) as lines:
            log(Broken("a worker", error))

    assert the_only(lines)["traceback"].startswith("Traceback (most recent call last)")


def test_a_line_below_the_level_is_not_written_and_some_events_are_no_line_at_all() -> None:
    with logged(JsonFormatter(), logging.ERROR) as lines:
        log(ServerStarted(1, "sqlite:///shop.db"))
        log(FellAsleep(1))

    assert lines == []


@pytest.fixture
def world() -> World:
    return World(create_engine("sqlite://"), Base)


def ship(world: World) -> aw.Run:
    with world.session() as session, session.begin():
        session.add(parcel := Parcel())
        aw.later(parcel.ship)
    (ended,) = world.run()
    return ended.run


def test_a_line_that_a_job_writes_says_which_run_it_belongs_to(world: World) -> None:
    with logged(JsonFormatter(), logging.WARNING) as lines:
        run = ship(world)

    found = the_only(lines)
    assert found["message"] == "no answer\nfrom the carrier"
    assert (found["run"], found["ticket"], found["work"]) == (str(run.id), "1", "Parcel.ship")
    assert found["root_id"] == "Parcel!1"
    assert "event" not in found


def test_for_people_it_stands_at_the_end_of_one_line(world: World) -> None:
    with logged(HumanFormatter(), logging.WARNING) as lines:
        run = ship(world)

    (line,) = lines
    expected = f"WARNING no answer\\nfrom the carrier (run {run.id}, ticket 1, work Parcel.ship, root_id Parcel!1)"
    assert line.endswith(expected)


FORGED = "n\r2026-01-01 00:00:00 INFO all is well\n\x1b[2J\x85\u2028\u202e\x9b31m"


@pytest.mark.parametrize("formatter", [HumanFormatter(), JsonFormatter(), logging.Formatter("%(message)s")])
@pytest.mark.parametrize(
    "event",
    [
        Failed("Parcel.ship", f"Parcel!{FORGED}", "a run", f"ValueError: {FORGED}", FACTS),
        Acted(FORGED, "paused", FORGED),
    ],
)
def test_no_data_can_forge_a_line(formatter: logging.Formatter, event: Event) -> None:
    """Whoever formats the line: a program may have set up its log by itself."""
    with logged(formatter, logging.INFO) as lines:
        log(event)

    (line,) = lines
    assert line.isprintable()
    assert "n\\r2026-01-01 00:00:00 INFO all is well\\n\\" in line


def test_no_traceback_and_no_job_can_forge_a_line() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError as error:
        with logged(HumanFormatter()) as lines:
            log(Broken("a worker", error))
            logging.getLogger("carrier").warning(FORGED, extra={"root_id": FORGED}, stack_info=True)

    assert {line.isprintable() for line in lines} == {True}
    first = [line for line in lines if not line.startswith("    ")]
    assert len(first) == 2
    assert first[1].endswith(")")


def test_a_line_outside_of_a_run_says_nothing_of_one() -> None:
    with logged(HumanFormatter()) as lines:
        logging.getLogger("carrier").warning("hello")

    assert lines[0].endswith("WARNING hello")


def test_serve_refuses_a_layout_that_there_is_not() -> None:
    said = CliRunner().invoke(main, ["serve", "examples.shop:app", "--database", "sqlite:///x.db", "--log", "xml"])

    assert said.exit_code == 2
    assert "human" in said.output

"""Timers that could never be meant are refused where they are declared, with what is wrong and what to do."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

import afterwork as aw
from afterwork.errors import AfterworkError, ModelError
from tests.support.office import an_office

DECLARED: dict[str, Callable[[], object]] = {
    "exactly one of a timedelta, seconds=, minutes=, hours= and days=, and got 0": aw.Every,
    "and got 2": lambda: aw.Every(timedelta(minutes=1), seconds=1),
    "The interval of aw.Every is 0:00:00. It must be more than 0": lambda: aw.Every(seconds=0),
    "It must be more than 0": lambda: aw.Every(minutes=-1),
    "max_answers is 0. It must be 1 or more": lambda: aw.Every(minutes=1, max_answers=0),
    "misfire is 'twice'": lambda: aw.Every(minutes=1, misfire="twice"),  # type: ignore[arg-type]
    "most_missed is 0": lambda: aw.Every(minutes=1, misfire="each", most_missed=0),
    "max_answers is 'x'": lambda: aw.Every(minutes=1, max_answers="x"),  # type: ignore[arg-type]
    "The interval of aw.Every is 5": lambda: aw.Every(5),  # type: ignore[arg-type]
    "can't be": lambda: aw.Every(seconds=float("nan")),
    "at most 36,525 days": lambda: aw.Every(days=999_999_999),
    "Bad hour": lambda: aw.Cron("0 25 * * *"),
    "Wrong number of fields": lambda: aw.Cron("@daily"),
    "Wrong number of": lambda: aw.Cron("* * * * * *"),  # seconds are not looked at
    "Bad day-of-month": lambda: aw.Cron("0 0 31 2 *"),  # it never comes
    "There is no time zone 'Mars/Olympus' here": lambda: aw.Cron("0 0 * * *", tz="Mars/Olympus"),
}


@pytest.mark.parametrize("said", DECLARED)
def test_a_timer_that_can_not_be_meant_is_refused(said: str) -> None:
    with pytest.raises(AfterworkError) as raised:
        DECLARED[said]()
    assert said in str(raised.value)


def test_a_wrong_cron_expression_is_shown_with_the_place() -> None:
    with pytest.raises(AfterworkError) as raised:
        aw.Cron("0  0 32 * *")
    *_, expression, pointer = str(raised.value).splitlines()
    assert expression[pointer.index("^") :].startswith("32")


CRITERIA: dict[str, Callable[[Any], Any]] = {
    "needs a criteria that says for which Task objects": lambda task: None,
    "The criteria must be select(Task), with any conditions, or a function": lambda task: "all",
    "It selects count": lambda task: select(func.count(task.id)),
    "It selects id": lambda task: select(task.id),
}


@pytest.mark.parametrize("said", CRITERIA)
def test_a_criteria_that_gives_no_objects_of_the_root_class_is_refused_at_the_start(engine: Engine, said: str) -> None:
    office = an_office(engine)
    office.timer("Work", when=aw.Every(minutes=1, criteria=CRITERIA[said](office.task)))

    with pytest.raises(ModelError) as raised:
        office.open()
    assert "Work: " in str(raised.value)
    assert said in str(raised.value)


def test_a_criteria_without_a_root_is_refused_at_the_start(engine: Engine) -> None:
    office = an_office(engine)
    office.timer("Work", root=False, when=aw.Every(minutes=1, criteria=select(office.task)))

    with pytest.raises(ModelError, match="it has a criteria but no root class"):
        office.open()


WORDS: dict[str, Any] = {
    "Every 10 minutes": aw.Every(minutes=10),
    "Every hour": aw.Every(hours=1),
    "Every 90 seconds": aw.Every(seconds=90),
    "Every 0.5 seconds": aw.Every(seconds=0.5),
    "At 03:00 every day (Europe/Stockholm)": aw.Cron("0 3 * * *", tz="Europe/Stockholm"),
}


@pytest.mark.parametrize("words", WORDS)
def test_a_timer_says_in_words_when_it_is_due(words: str) -> None:
    assert WORDS[words].words() == words

"""The variables of a timer: set before its round, for its criteria and its actions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

import afterwork as aw
from tests.stories.timers_scene import TEN, every_ten_minutes
from tests.support.office import Office, an_office


def test_what_runs_before_sets_what_the_criteria_and_the_actions_use(engine: Engine) -> None:
    office = an_office(engine, site="shop.example", unheard_of=1)

    def look_back(given: Any) -> None:
        given.least = 2
        given.since = given.due - timedelta(days=1)

    def note(self: Any) -> None:
        office.log.append((self.root.id, self.site, self.due - self.since, self.server_started == office.clock.now()))

    office.timer(
        when=aw.Every(minutes=10, before=look_back, criteria=lambda given: newer(office, given)),
        work=aw.action(note),
        least=aw.variable(), since=aw.variable(), due=aw.variable(), site=aw.variable(), server_started=aw.variable(),
    )  # fmt: skip
    office.open(tasks=3)

    office.run()

    assert office.log == [(number, "shop.example", timedelta(days=1), True) for number in (2, 3)]


def newer(office: Office, given: Any) -> Any:
    return select(office.task).where(office.task.id >= given.least).order_by(office.task.id)


def test_what_runs_before_may_call_the_round_off(office: Office) -> None:
    office.timer(when=every_ten_minutes(office, before=lambda given: office.log != []))
    office.open(tasks=1)

    assert office.matched() == []
    office.log.append("now")
    assert office.matched(TEN) == [1]


WRONG: dict[str, Callable[[Any], object]] = {
    "There is no variable other": lambda given: setattr(given, "other", 1),
    "can't be kept": lambda given: setattr(given, "some", object()),
}


@pytest.mark.parametrize("said", WRONG)
def test_a_variable_that_is_not_declared_or_can_not_be_kept_is_refused(office: Office, said: str) -> None:
    office.timer(root=False, when=aw.Every(minutes=10, before=WRONG[said]), some=aw.variable())
    office.open()

    assert office.run() == []
    (timer,) = office.app.insight(office.engine).timers()
    assert said in str(timer.error)


def test_a_variable_that_nobody_sets_is_what_it_is_declared_to_be(office: Office) -> None:
    office.timer(when=aw.Every(minutes=10, criteria=lambda given: newer(office, given)), least=aw.variable(2))
    office.open(tasks=3)

    assert office.matched() == [2, 3]

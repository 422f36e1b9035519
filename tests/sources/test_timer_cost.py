"""What timers cost, in statements: as much for 1,000 timers that are not due as for one, for 90 matches as for 10."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select

import afterwork as aw
from afterwork.store.dialects import database_of
from tests.support.office import Office, an_office
from tests.support.world import statements


def a_look(office: Office) -> list[str]:
    """The statements of one look at what is due."""
    app = office.app
    database = database_of(office.engine, app.settings)
    with database.connect() as connection:
        runner = app.runner(database, connection)
        with statements(connection) as sent:  # type: ignore[arg-type]
            due = runner.due(connection)
        assert due.workloads == {}
        assert due.next_due is not None
    return sent


def with_timers(engine: Engine, count: int) -> Office:
    office = an_office(engine)
    for number in range(count):
        office.timer(f"Work{number}", root=False, when=aw.Cron(f"{number % 60} 3 * * *"))
    office.open()
    return office


def test_a_look_takes_as_many_statements_for_a_thousand_timers_as_for_one(engine: Engine) -> None:
    one = a_look(with_timers(engine, 1))
    many = a_look(with_timers(engine, 1000))

    assert len(many) == len(one) <= 3


@pytest.fixture
def office(engine: Engine) -> Office:
    office = an_office(engine)
    criteria: Any = select(office.task).where(office.task.done == 0)
    office.timer("Work", when=aw.Every(minutes=10, criteria=criteria))
    office.open()
    return office


def a_round(office: Office, matches: int, number: int) -> list[str]:
    """The statements of a round with so many matches, and of running them."""
    for _ in range(matches):
        number += 1
        office.sql(f"INSERT INTO task (id, done, bad) VALUES ({number}, 0, false)")
    office.clock.advance(timedelta(minutes=10))
    with statements(office.engine) as sent:
        assert len(office.app.run_until_idle(office.engine)) == matches
    return sent


def test_a_round_with_no_match_asks_once(office: Office) -> None:
    office.run()

    sent = a_round(office, 0, 0)

    assert len([one for one in sent if "FROM task" in one]) == 1


def test_a_round_takes_as_many_statements_for_ninety_matches_as_for_ten(office: Office) -> None:
    office.run()
    a_round(office, 2, 0)

    few, many = a_round(office, 10, 100), a_round(office, 90, 200)

    assert len(many) == len(few)
    assert len([one for one in many if "FROM task" in one]) == 2  # the criteria, and the roots


def test_what_has_run_once_costs_one_statement_in_each_look(engine: Engine) -> None:
    office = with_timers(engine, 1)
    before = a_look(office)
    actions = {f"step{number}": aw.action(lambda self: None) for number in range(20)}
    office.timer("Upgrade", root=False, when=aw.Once(), work=None, **actions)
    office.run()

    assert len(a_look(office)) == len(before) + 1

"""An action that runs once, and whose commit hangs or is refused by a deferred trigger, fails, and is not repeated."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

import afterwork as aw
from afterwork.events import Failed
from tests.stories.once_scene import KINDS, tasks, upgrade
from tests.support.office import an_office

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


def defer(engine: Engine, does: str) -> None:
    """Have a deferred trigger do something when a task is committed that an action has added."""
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF new.id = 101 THEN {does}; END IF; RETURN NULL; END $$"
        )
        connection.exec_driver_sql(
            "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON task DEFERRABLE INITIALLY DEFERRED"
            " FOR EACH ROW EXECUTE FUNCTION dawdle()"
        )


@KINDS
@pytest.mark.parametrize(
    ("does", "error"),
    [("PERFORM pg_sleep(1000)", "CommitTimedOut: Its commit took longer than 1 s"), ("RAISE 'not today'", "not today")],
    ids=["hangs", "is refused"],
)
def test_it_fails_alone(engine: Engine, external: bool, does: str, error: str) -> None:
    office = an_office(engine)
    upgrade(office, "first", "second", "third", external=external)
    office.open()
    app = office.app
    app.settings = aw.Settings(inside_limit=timedelta(seconds=1))
    defer(engine, does)
    app.run_until_idle(engine)
    app.run_until_idle(engine)

    states: list[Any] = [(action.name, action.state) for action in app.insight(engine).once()]
    assert states == [("Upgrade.first", "done"), ("Upgrade.second", "failed"), ("Upgrade.third", "waiting")]
    assert office.log == ["first", "second"]
    assert tasks(office) == 1
    (failed,) = [event for event in office.events if isinstance(event, Failed)]
    assert error in failed.error

"""An action that runs once has the time-out of other works, also if nothing can interrupt it."""

import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine

import afterwork as aw
from afterwork.events import Abandoned, Failed
from tests.stories.once_scene import KINDS, tasks
from tests.support.office import Office, an_office
from tests.support.waiting import eventually

GATE = threading.Event()
LIMIT = timedelta(seconds=1)


def loops() -> None:
    while not GATE.is_set():
        time.sleep(0.001)


def waits() -> None:
    GATE.wait()


HOW = pytest.mark.parametrize("how", [loops, waits])


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    GATE.clear()
    before = set(threading.enumerate())
    yield an_office(engine)
    GATE.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(10)


def upgrade(office: Office, **parts: Any) -> None:
    """An upgrade whose action adds a task, and a ticket's work that waits behind it."""

    def do(self: Any) -> None:
        aw.session(self).add(office.task(id=100))
        hang(self, "action")

    def failed(self: Any, error: Exception) -> None:
        hang(self, "on_exception")

    def hang(self: Any, place: str) -> None:
        if parts["place"] == place:
            parts["how"]()
        elif parts["place"] == "on_exception":
            raise ValueError("not today")

    given = {"do": aw.action(do), "failed": aw.on_exception(failed), "external": parts["external"]}
    office.timer("Upgrade", root=False, when=aw.Once(), work=None, **given)
    office.timer("Tick", root=False, when=aw.Every(seconds=0.1), work=aw.action(lambda self: office.log.append("tick")))
    office.open()


def ends(office: Office, **settings: Any) -> str:
    """Serve until work goes on behind the action. Return its error."""
    app = office.app
    app.clock, app.settings = aw.SystemClock(), aw.Settings(abandon_after=timedelta(seconds=0.2), **settings)
    with app.serving(office.engine):
        eventually(lambda: "tick" in office.log)
        (action,) = app.insight(office.engine).once()
    assert action.state == "failed"
    assert tasks(office) == 0
    assert [event.work for event in office.events if isinstance(event, Failed)] == ["Upgrade.do"]
    return str(action.error)


@KINDS
@HOW
def test_it_fails_alone_after_the_time_out_of_the_settings(
    office: Office, external: bool, how: Callable[[], None]
) -> None:
    upgrade(office, place="action", how=how, external=external)
    assert ends(office, timeout=LIMIT).startswith("TimedOut: It ran for longer than its timeout of 1 s")
    was_abandoned = any(isinstance(event, Abandoned) for event in office.events)
    assert was_abandoned == (how is waits or external)  # what is external is not interrupted


@KINDS
@HOW
def test_it_ends_without_an_on_exception_that_hangs(office: Office, external: bool, how: Callable[[], None]) -> None:
    upgrade(office, place="on_exception", how=how, external=external)
    error = ends(office, inside_limit=LIMIT)
    assert error.startswith("ValueError: not today")
    assert "on_exception raised, too: TimedOut: It ran for longer than its timeout of 1 s" in error

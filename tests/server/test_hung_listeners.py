"""A listener that hangs holds up nobody: jobs, timers, caches, the loop, probes and the stop go on, and it is named."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Engine, text

import afterwork as aw
from afterwork.events import (
    Event,
    Events,
    FellAsleep,
    Listener,
    ListenerHangs,
    Pruned,
    Ran,
    Reached,
    ServerStarted,
    ServerStopped,
)
from afterwork.events import delivery as deliveries
from tests.server.hanging import Base, Thing, add_things
from tests.support.waiting import eventually
from tests.support.world import World

GATE = threading.Event()


def loops() -> None:
    while not GATE.is_set():
        time.sleep(0.001)


def waits() -> None:
    GATE.wait()


@dataclass
class Hanging:
    """A listener that hangs from the first event of a class on."""

    kind: type[Event]
    how: Callable[[], None]
    seen: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, self.kind):
            self.how()
        self.seen.append(event)


@pytest.fixture(autouse=True)
def _open_at_last(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 0.3)
    GATE.clear()
    yield
    GATE.set()


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine, Base)
    add_things(engine)
    made.run()
    made.app.clock = aw.SystemClock()
    return made


def everything_goes_on(world: World) -> None:
    """A change, a timer and tickets have their effect."""
    with world.engine.begin() as connection:
        connection.execute(text("UPDATE thing SET n = n + 1"))
    ticks = world.all(Thing)[0].ticks
    with world.session() as session, session.begin():
        aw.later(session.get_one(Thing, 1).work)
        aw.later(session.get_one(Thing, 2).work)
    eventually(lambda: all(thing.twice == 2 * thing.n for thing in world.all(Thing)))
    eventually(lambda: [thing.worked for thing in world.all(Thing)[:2]] == [1, 1])
    eventually(lambda: world.all(Thing)[0].ticks > ticks)


@pytest.mark.parametrize("how", [loops, waits])
@pytest.mark.parametrize("kind", [ServerStarted, Reached, Ran, FellAsleep])
def test_everything_goes_on_and_it_is_told(world: World, kind: type[Event], how: Callable[[], None]) -> None:
    hanging = Hanging(kind, how)
    world.seen.clear()
    world.app.events = world.app.events.also(hanging)
    with world.app.serving(world.engine):
        everything_goes_on(world)
        eventually(lambda: any(isinstance(event, ListenerHangs) for event in world.seen))
        health = world.app.health(world.engine)
        sign = next(sign for sign in health.signs if sign.name == "listeners")
        assert (health.live, health.ready, sign.good) == (True, False, False)
        assert sign.says.startswith("Hanging has been with one event for ")
    assert isinstance(world.seen[-1], ServerStopped)
    (told,) = [event for event in world.seen if isinstance(event, ListenerHangs)]
    assert told.listener == "Hanging"

    GATE.set()
    eventually(lambda: len(hanging.seen) == len(world.seen))
    assert Counter(map(str, hanging.seen)) == Counter(map(str, world.seen))


def test_a_log_that_blocks_holds_up_nobody(world: World) -> None:
    """As that of a terminal which was stopped by Ctrl-S."""

    class Blocked(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            GATE.wait()

    logger, handler = logging.getLogger("afterwork"), Blocked()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with world.app.serving(world.engine):
            everything_goes_on(world)
            signs = {sign.name: sign.says for sign in world.app.health(world.engine).signs}
            assert signs["listeners"].startswith("log has been with one event for ")
    finally:
        GATE.set()
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)


def events_of(listener: Listener) -> Events:
    return Events([listener]).of_server()


def test_whoever_emits_finds_all_received_in_order() -> None:
    """So a listener that hangs not is as if it were called in place, in any thread."""
    seen: list[Event] = []
    events = events_of(seen.append)

    def emit(number: int) -> None:
        for n in range(50):
            events.emit(Reached("ran", str(n)), Pruned(1000 * number + n), Pruned(1000 * number + n + 500))
            assert seen.count(Pruned(1000 * number + n + 500)) == 1

    threads = [threading.Thread(target=emit, args=[number]) for number in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for number in range(1, 4):
        own = [event.count for event in seen if isinstance(event, Pruned) and event.count // 1000 == number]
        assert own == [count for n in range(50) for count in (1000 * number + n, 1000 * number + n + 500)]
    assert sum(isinstance(event, Reached) for event in seen) == 150


def test_a_listener_that_emits_is_told_of_that_at_once() -> None:
    seen: list[Event] = []

    def listen(event: Event) -> None:
        seen.append(event)
        if event == Pruned(1):
            events.emit(Pruned(2))
            seen.append(Pruned(3))

    events = events_of(listen)
    events.emit(Pruned(1))

    assert seen == [Pruned(1), Pruned(2), Pruned(3)]


def test_events_for_one_that_hangs_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "MAX_WAITING", 5)
    monkeypatch.setattr(deliveries, "PATIENCE_SECONDS", 0.05)
    hanging = Hanging(Pruned, waits)
    events = events_of(hanging)
    for count in range(9):
        events.emit(Pruned(count))
    eventually(events.hanging)

    (found,) = events.hanging()
    assert (found.waiting, found.dropped) == (5, 4)  # and ListenerHangs is one of them
    GATE.set()
    events.wait_until_received()
    assert events.hanging() == []
    assert [event.count for event in hanging.seen if isinstance(event, Pruned)] == [0, 1, 2, 3, 4]


def test_its_thread_ends_when_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "IDLE_SECONDS", 0.01)
    threads: list[threading.Thread] = []
    events = events_of(lambda event: threads.append(threading.current_thread()))

    events.emit(Pruned(1))
    eventually(lambda: not threads[0].is_alive())
    events.emit(Pruned(2))

    assert len(set(threads)) == 2

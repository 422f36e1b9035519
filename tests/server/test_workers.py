"""The threads of a server share its work so that few of them have to know it."""

import ctypes
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine

from afterwork import Settings
from afterwork.server.workers import VANISHED_SECONDS, LostThread, Workers
from afterwork.store.dialects import database_of
from afterwork.store.waker import WaitEnd
from tests.support.waiting import eventually


class Noted:
    """Threads, of which four are kept; with what they have done and what has failed."""

    def __init__(self, engine: Engine) -> None:
        self.failed: list[Exception] = []
        self.connections: list[Connection] = []
        self.workers = Workers(4, database_of(engine, Settings()), lambda error, _: self.failed.append(error))

    def note(self, connection: Connection) -> None:
        self.connections.append(connection)

    def do(self, *gates: threading.Event) -> None:
        """Start tasks, each of which waits for a gate."""
        for gate in gates:

            def task(connection: Connection, gate: threading.Event = gate) -> None:
                gate.wait()
                self.note(connection)

            self.workers.start(task, lambda: None)


@pytest.fixture
def noted(engine: Engine) -> Iterator[Noted]:
    found = Noted(engine)
    yield found
    found.workers.stop()


def test_one_task_after_the_other_is_done_on_one_connection(noted: Noted) -> None:
    for _ in range(5):
        noted.workers.start(noted.note, lambda: None)
        assert noted.workers.wait_until_idle(20) == 0

    assert len(noted.connections) == 5
    assert len(set(noted.connections)) == 1


def test_tasks_at_the_same_time_have_a_thread_and_a_connection_each(noted: Noted) -> None:
    gates = [threading.Event() for _ in range(6)]
    noted.do(*gates)
    for gate in gates:
        gate.set()

    assert noted.workers.wait_until_idle(20) == 0
    assert len(set(noted.connections)) == 6


def test_threads_that_are_more_than_are_kept_end_when_they_have_nothing_to_do(noted: Noted) -> None:
    before = threading.active_count()
    gates = [threading.Event() for _ in range(6)]
    noted.do(*gates)
    assert threading.active_count() == before + 6

    for gate in gates:
        gate.set()
    eventually(lambda: threading.active_count() == before + 4)


def test_after_a_failure_the_next_task_has_a_new_connection(noted: Noted) -> None:
    def fail(connection: Connection) -> None:
        noted.note(connection)
        raise ValueError

    for task in (fail, noted.note):
        noted.workers.start(task, lambda: None)
        assert noted.workers.wait_until_idle(20) == 0

    assert len(set(noted.connections)) == 2
    assert [type(error) for error in noted.failed] == [ValueError]


@pytest.mark.parametrize("error", [SystemExit, GeneratorExit, KeyboardInterrupt])
def test_a_task_that_would_end_its_thread_is_reported_as_any_other(noted: Noted, error: type[BaseException]) -> None:
    def leave(connection: Connection) -> None:
        raise error

    noted.workers.start(leave, lambda: None)
    assert noted.workers.wait_until_idle(20) == 0
    assert [type(failed.__cause__) for failed in noted.failed] == [error]
    assert list(noted.workers.lost()) == []


def test_a_thread_that_is_lost_all_the_same_is_replaced(noted: Noted) -> None:
    """As it is when something outside raises an exception in it, between two tasks."""

    def leave() -> None:
        raise SystemExit

    noted.workers.start(noted.note, leave)
    assert noted.workers.wait_until_idle(20) == 0
    lost: list[LostThread] = []

    def look() -> bool:
        lost.extend(noted.workers.lost())
        return bool(lost)

    eventually(look)
    assert [(thread.thread.name, type(thread.ended_by), thread.is_midway) for thread in lost] == [
        ("afterwork-0", SystemExit, False)
    ]

    gates = [threading.Event() for _ in range(4)]
    noted.do(*gates)
    for gate in gates:
        gate.set()
    assert noted.workers.wait_until_idle(20) == 0
    assert len(noted.connections) == 5


def test_a_thread_that_ends_in_c_is_lost_even_while_somebody_waits_for_something_else(noted: Noted) -> None:
    """Python goes on believing that it lives."""

    def vanish(connection: Connection) -> None:
        ctypes.CDLL(None).pthread_exit(None)

    ended = threading.Event()
    noted.workers.start(vanish, ended.set)

    def in_time(seconds: float) -> WaitEnd:
        threading.Event().wait(seconds)
        return "time"

    began = time.monotonic()
    assert noted.workers.wait(60, in_time) == "wake"
    assert time.monotonic() - began < 30
    (lost,) = noted.workers.lost()

    assert lost.is_midway
    assert lost.connection is not None
    assert lost.thread.is_alive()
    assert ended.is_set()
    assert noted.workers.wait_until_idle(0) == 0


def test_a_wait_for_something_else_goes_on_while_threads_work_and_ends_when_it_is_over(noted: Noted) -> None:
    gate = threading.Event()
    noted.do(gate)
    waits: list[float] = []

    def waiting(seconds: float) -> WaitEnd:
        waits.append(seconds)
        threading.Event().wait(seconds)
        return "time" if len(waits) < 3 else "new work"

    assert noted.workers.wait(60, waiting) == "new work"
    assert waits == [VANISHED_SECONDS] * 3
    gate.set()
    assert noted.workers.wait_until_idle(20) == 0
    assert noted.workers.wait(60, lambda seconds: "new work" if seconds > 59 else "time") == "new work"


def test_the_end_of_a_task_ends_the_wait_even_if_its_interval_is_over_by_then(noted: Noted) -> None:
    """On a busy machine, much time may pass between the wake and the thread that it wakes."""
    gate = threading.Event()
    noted.do(gate)
    waits: list[float] = []

    def waiting(seconds: float) -> WaitEnd:
        waits.append(seconds)
        gate.set()
        assert noted.workers.wait_until_idle(20) == 0
        threading.Event().wait(seconds)
        return "wake"

    assert noted.workers.wait(60, waiting) == "wake"
    assert waits == [VANISHED_SECONDS]

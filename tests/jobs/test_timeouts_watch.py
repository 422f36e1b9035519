"""The thread that watches time-outs outlives whatever a database makes of a cancellation."""

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import afterwork.jobs.timeouts as timeouts
from afterwork.errors import TimedOut
from tests.support.waiting import eventually


def gone() -> bool:
    raise ConnectionError("the connection is closed")


def test_a_cancellation_that_fails_ends_its_run_and_no_other() -> None:
    watch = timeouts.Timeouts(timedelta(seconds=10))
    ended: list[str] = []

    def run(name: str) -> None:
        watched = timeouts.TimedRun(timedelta(milliseconds=20), interrupt=gone)
        try:
            with watch.over(watched):
                while True:
                    threading.Event().wait(0.001)
        except TimedOut:
            ended.append(name)

    for name in ("first", "second"):
        thread = threading.Thread(target=run, args=(name,))
        thread.start()
        thread.join(30)
    eventually(lambda: ended == ["first", "second"])


def test_a_worker_is_freed_even_if_what_settles_its_run_hangs_in_its_turn() -> None:
    gate, freed, settled = threading.Event(), threading.Event(), threading.Event()
    watch = timeouts.Timeouts(timedelta(milliseconds=20))

    def hang(give_up: Callable[[], None]) -> None:
        watched = timeouts.TimedRun(timedelta(milliseconds=20), give_up=give_up)
        with suppress(TimedOut), watch.over(watched):
            gate.wait()

    worker = threading.Thread(target=hang, args=(lambda: hang(settled.set),))
    watch.disown = lambda thread: freed.set if thread is worker else lambda: None
    worker.start()
    try:
        assert settled.wait(30)
        assert freed.wait(30)
        assert worker.is_alive()
    finally:
        gate.set()
        worker.join(30)

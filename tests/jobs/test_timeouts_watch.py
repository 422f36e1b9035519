"""The thread that watches time-outs outlives whatever a database makes of a cancellation."""

import threading
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

"""A server in a process of its own, which a test starts, and which may send itself a signal at a point of a run.

Takes one argument, JSON: `url`, `settings` with spans in seconds, `model` (a module with a `Base`, and
maybe a `prepare`, which takes the engine) if it is not
`tests.support.numbers`, and `fault`: null, or `point`, `time`, `signal` and the `work` (null for any).
"""

import dataclasses
import importlib
import json
import signal
import sys
import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import create_engine

import afterwork as aw
from afterwork.events import Event, Reached
from tests.support.called_in_place import CalledInPlace
from tests.support.numbers import journal


class Listener:
    """Writes each event into the journal, and strikes when a point is reached for the n-th time."""

    def __init__(self, fault: dict[str, Any] | None) -> None:
        self._fault = fault
        self._reached = 0

    def __call__(self, event: Event) -> None:
        facts = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
        journal().note(type(event).__name__, **facts)
        fault = self._fault
        if fault is not None and isinstance(event, Reached) and event.point == fault["point"]:
            if fault.get("work") not in (None, event.work):
                return
            self._reached += 1
            if self._reached == fault["time"]:
                # To this thread, so that it does not get a step further.
                signal.pthread_kill(threading.get_ident(), fault["signal"])


def settings(given: dict[str, Any]) -> aw.Settings:
    """Settings in which spans are given as seconds."""
    spans = {field.name for field in dataclasses.fields(aw.Settings) if isinstance(field.default, timedelta)}
    meant: dict[str, Any] = {
        name: timedelta(seconds=value) if name in spans else value for name, value in given.items()
    }
    return dataclasses.replace(aw.Settings(), **meant)


def main() -> int:
    given = json.loads(sys.argv[1])
    model = importlib.import_module(given.get("model", "tests.support.numbers"))
    app = aw.Afterwork(model.Base, settings=settings(given["settings"]))
    app.events = CalledInPlace([Listener(given.get("fault"))])
    engine = create_engine(given["url"])
    getattr(model, "prepare", lambda engine: None)(engine)
    return app.serve(engine)


if __name__ == "__main__":
    sys.exit(main())

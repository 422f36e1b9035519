"""Delivery of events to listeners. Each listener has its own thread, so a listener that hangs delays nobody for long.

The emitter waits until the listener has returned, so events come at once and in order. Once a listener takes too long,
the emitter stops waiting, and the events are queued for the listener instead.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Generic, TypeVar

Happened = TypeVar("Happened")

PATIENCE_SECONDS = 1.0
"""The maximum time for which an emitter waits for a listener. After that, it never waits for that listener again."""

MAX_WAITING = 10_000
"""Events that wait for a listener; later ones are dropped."""

IDLE_SECONDS = 1.0
"""Seconds for which a thread stays when nothing happens."""


@dataclass(eq=False)
class Delivery(Generic[Happened]):
    """Delivers events to one receiver, which must not raise. `late` is called once, when it has taken too long: with
    the seconds for which somebody has waited."""

    receive: Callable[[Happened], object]
    late: Callable[[float], object]
    is_late: bool = False
    """True once it has taken too long. Its events come when it is ready for them, in the same order."""
    dropped: int = 0
    """The number of events that it will never see."""
    _waiting: deque[tuple[Context, Happened]] = field(default_factory=deque)
    _bell: "SimpleQueue[threading.Lock]" = field(default_factory=SimpleQueue)
    _starting: threading.Lock = field(default_factory=threading.Lock)
    _thread: threading.Thread | None = None
    _began: float | None = None
    """The clock reading at which the current call began."""

    def add(self, events: Sequence[Happened]) -> None:
        """Let events come before the next ones that are delivered."""
        room = max(0, MAX_WAITING - len(self._waiting))
        context = copy_context()  # with the current run and span
        self._waiting.extend((context, event) for event in events[:room])
        self.dropped += len(events) - min(room, len(events))

    def deliver(self, events: Sequence[Happened]) -> None:
        """Deliver events, after those that wait. Return when that is done, or hopeless."""
        if threading.current_thread() is self._thread:
            for event in events:  # of what the listener itself does
                self.receive(event)
            return
        self.add(events)
        if not self._is_done(0.0 if self.is_late else PATIENCE_SECONDS) and not self.is_late:
            self.is_late = True
            self.late(PATIENCE_SECONDS)

    def wait_until_received(self) -> None:
        """Wait for a while until nothing waits for the listener any more."""
        if self._waiting or self._began is not None:
            self._is_done(PATIENCE_SECONDS)

    @property
    def hangs_for(self) -> float | None:
        """Return the seconds for which the receiver has been with one event, if they are too many."""
        began = self._began
        seconds = 0.0 if began is None else monotonic() - began
        return seconds if seconds > PATIENCE_SECONDS else None

    @property
    def waiting(self) -> int:
        """Return the number of events that wait for the listener."""
        return len(self._waiting)

    def _is_done(self, seconds: float) -> bool:
        """Have the events that wait delivered. Return whether that is done within some seconds."""
        done = threading.Lock()
        done.acquire()
        if seconds or self._bell.empty():
            self._bell.put(done)
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="afterwork-listener", daemon=True)
                self._thread.start()
        return done.acquire(timeout=seconds)

    def _run(self) -> None:
        while True:
            try:
                done = self._bell.get(timeout=IDLE_SECONDS)
            except Empty:
                with self._starting:
                    if self._bell.empty():
                        self._thread = None
                        return
                continue
            for _ in range(len(self._waiting)):
                self._pass_on(*self._waiting.popleft())
            done.release()

    def _pass_on(self, context: Context, event: Happened) -> None:
        self._began = monotonic()
        try:
            context.run(self.receive, event)
        finally:
            self._began = None

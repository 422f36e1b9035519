"""Telling listeners of events. The listener that is always there writes log lines."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock

from afterwork.events.delivery import Delivery
from afterwork.events.logged_event import LoggedEvent
from afterwork.events.runs import Reached, RunEvent
from afterwork.events.servers import ListenerHangs, ListenerRaised, ServerEvent
from afterwork.events.sources import DerivedEvent, TimerEvent
from afterwork.interruption import ends_the_program

Event = RunEvent | ServerEvent | TimerEvent | DerivedEvent
"""All events."""

Listener = Callable[[Event], None]

logger = logging.getLogger("afterwork")


def is_logged(event: Event) -> bool:
    """Return whether the log wants an event."""
    return isinstance(event, LoggedEvent) and logger.isEnabledFor(event.level)


def log(event: Event) -> None:
    """Write an event to the log "afterwork". The record carries it as `event`, for formatters that show its fields."""
    if isinstance(event, LoggedEvent) and is_logged(event):
        words, error = event.printable_words(), event.exception()
        logger.log(event.level, event.message, words, exc_info=error, extra={"event": event})


class ListenersThatRaised:
    """The listeners that have raised, so that each is named in the log once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: list[Listener] = []

    def is_first(self, listener: Listener) -> bool:
        """Remember a listener. Return False if it is known already."""
        with self._lock:
            is_new = not any(known is listener for known in self._known)
            if is_new:
                self._known.append(listener)
            return is_new


class Events:
    """The way from what happens to the listeners: they are called where it happens."""

    def __init__(self, listeners: Sequence[Listener] = (), raised: ListenersThatRaised | None = None) -> None:
        self._listeners = (log, *listeners)
        self._raised = raised or ListenersThatRaised()

    def also(self, listener: Listener) -> "Events":
        """Return the same with one more listener."""
        return Events([*self._listeners[1:], listener], self._raised)

    def of_server(self, *own: Listener) -> "Events":
        """Return the events of a server, which waits for no listener that hangs. Its `own` are trusted not to."""
        return ServerEvents(self._listeners, own, self._raised)

    def emit(self, *events: Event) -> None:
        """Pass events to all listeners. An exception of one stops neither the others nor what has happened."""
        for event in events:
            for listener in self._listeners:
                self._call(listener, event)

    def wait_until_received(self) -> None:
        """Wait for a while until listeners have received everything."""

    def hanging(self) -> Sequence["HangingListener"]:
        """Return the listeners that have been with one event for long."""
        return []

    def _call(self, listener: Listener, event: Event) -> None:
        try:
            listener(event)
        except BaseException as error:
            if ends_the_program(error):
                raise
            if self._raised.is_first(listener):
                self.emit(ListenerRaised(name_of(listener), error))


def name_of(listener: Listener) -> str:
    return getattr(listener, "__qualname__", type(listener).__name__)


@dataclass(frozen=True)
class HangingListener:
    """A listener that has been with one event for some seconds, while others wait for it or were dropped."""

    name: str
    seconds: float
    waiting: int
    dropped: int


class ServerEvents(Events):
    """Events of a server. Each of the application's listeners is called on its own thread, one event at a time.

    The emitter waits for each, unless it hangs. The server's `own` listeners are called on the emitter's thread."""

    def __init__(self, listeners: Sequence[Listener], own: Sequence[Listener], raised: ListenersThatRaised) -> None:
        super().__init__((), raised)
        self._own = own
        self._deliveries = [(listener, self._delivery(listener)) for listener in listeners]

    def _delivery(self, listener: Listener) -> Delivery[Event]:
        return Delivery(partial(self._call, listener), partial(self._note_late, listener))

    def emit(self, *events: Event) -> None:
        """Pass events to all listeners. Points of runs, which only tests look at, come with the next other event."""
        for event in events:
            for listener in self._own:
                self._call(listener, event)
        is_async = not all(isinstance(event, Reached) for event in events)
        for listener, delivery in self._deliveries:
            received = [event for event in events if is_logged(event)] if listener is log else events
            if received:
                (delivery.deliver if is_async else delivery.add)(received)

    def wait_until_received(self) -> None:
        for _, delivery in self._deliveries:
            delivery.wait_until_received()

    def hanging(self) -> Sequence[HangingListener]:
        return [
            HangingListener(name_of(listener), seconds, delivery.waiting, delivery.dropped)
            for listener, delivery in self._deliveries
            if (seconds := delivery.hangs_for) is not None
        ]

    def _note_late(self, listener: Listener, seconds: float) -> None:
        self.emit(ListenerHangs(name_of(listener), seconds))

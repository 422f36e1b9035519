"""Telling listeners of events. The listener that is always there writes log lines."""

import logging
from collections.abc import Callable, Sequence
from threading import Lock

from afterwork.events.logged_event import LoggedEvent
from afterwork.events.runs import RunEvent
from afterwork.events.servers import ListenerRaised, ServerEvent
from afterwork.events.sources import DerivedEvent, TimerEvent
from afterwork.interruption import ends_the_program

Event = RunEvent | ServerEvent | TimerEvent | DerivedEvent
"""All events."""

Listener = Callable[[Event], None]

logger = logging.getLogger("afterwork")


def log(event: Event) -> None:
    """Write an event to the log "afterwork". The record carries it as `event`, for formatters that show its fields."""
    if isinstance(event, LoggedEvent) and logger.isEnabledFor(event.level):
        logger.log(event.level, event.message, event.words(), exc_info=event.exception(), extra={"event": event})


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
    """The way from what happens to the listeners."""

    def __init__(self, listeners: Sequence[Listener] = (), raised: ListenersThatRaised | None = None) -> None:
        self._listeners = (log, *listeners)
        self._raised = raised or ListenersThatRaised()

    def also(self, listener: Listener) -> "Events":
        """Return the same with one more listener."""
        return Events([*self._listeners[1:], listener], self._raised)

    def emit(self, event: Event) -> None:
        """Pass an event to all listeners. An exception of one stops neither the others nor what has happened."""
        for listener in self._listeners:
            try:
                listener(event)
            except BaseException as error:
                if ends_the_program(error):
                    raise
                if self._raised.is_first(listener):
                    self.emit(ListenerRaised(getattr(listener, "__qualname__", type(listener).__name__), error))

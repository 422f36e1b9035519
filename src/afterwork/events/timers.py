"""Events about timers."""

import logging
from dataclasses import dataclass

from afterwork.events.logged_event import LoggedEvent


@dataclass(frozen=True)
class Fired(LoggedEvent):
    """A round of a timer for a due time, with the number of objects that matched."""

    level = logging.DEBUG
    message = "timer %(timer)s, due %(due)s: %(matches)d matches"

    timer: str
    due: str
    matches: int


@dataclass(frozen=True)
class RoundFailed(LoggedEvent):
    """A round that could not find its objects."""

    level = logging.WARNING
    message = "timer %(timer)s could not begin its round: %(error)s"

    timer: str
    error: str


@dataclass(frozen=True)
class TimerIsGone(LoggedEvent):
    """A timer of the database that the model lacks: it was renamed or taken out."""

    level = logging.WARNING
    message = "timer %(timer)s is no longer in the model and does not fire"

    timer: str


TimerEvent = Fired | RoundFailed | TimerIsGone
"""All events of timers."""

"""Events about what starts work: timers, and derived values with the capture of changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from afterwork.events.logged_event import LoggedEvent


@dataclass(frozen=True)
class NotInSql(LoggedEvent):
    """A derived member whose SQL side can't be used, so that its values are calculated in Python, one by one."""

    level = logging.WARNING
    message = "%(cache)s is calculated in Python, since its SQL side can't be used: %(why)s"

    cache: str
    why: str


@dataclass(frozen=True)
class OtherCode(LoggedEvent):
    """A derivation for which a server that started later has other code. This server leaves it to that one."""

    level = logging.WARNING
    message = "a server that started later has other code for %(cache)s: this server leaves it to that one"

    cache: str


@dataclass(frozen=True)
class Missed(LoggedEvent):
    """A table whose changes may have gone uncaptured, so that what was made of it runs again.

    `faults` are the reasons why changes still go uncaptured.
    """

    level = logging.WARNING
    message = "changes of %(table)s may have been missed (%(why)s): the caches that read it run again%(still)s"

    table: str
    why: str
    faults: tuple[str, ...]

    def words(self) -> Mapping[str, object]:
        still = f"; changes go uncaptured until the next install: {'; '.join(self.faults)}" if self.faults else ""
        return {"table": self.table, "why": self.why, "still": still}


DerivedEvent = NotInSql | OtherCode | Missed
"""All events of derivations."""


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

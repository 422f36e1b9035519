"""Events about derived values and the capture of changes."""

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

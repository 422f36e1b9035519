"""Events about derived values and the capture of changes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from afterwork.events.logged_event import LoggedEvent


@dataclass(frozen=True)
class NotInSql(LoggedEvent):
    """A derived member whose SQL side can't be used, so that its values are calculated in Python, one by one."""

    level = logging.WARNING
    message = "%(cache)s is calculated in Python, its SQL side can't be used: %(why)s"

    cache: str
    why: str


@dataclass(frozen=True)
class OtherCode(LoggedEvent):
    """A derivation for which a server that started later has other code. This server leaves it to that one."""

    level = logging.WARNING
    message = "%(cache)s has other code by now, of a server that was started later: it is left to that one"

    cache: str


@dataclass(frozen=True)
class Missed(LoggedEvent):
    """A table whose changes may have gone uncaptured, so that what was made of it runs again.

    `faults` are the reasons why changes still go uncaptured.
    """

    level = logging.WARNING
    message = "changes of %(table)s may have been missed (%(why)s), what was made of it runs again%(still)s"

    table: str
    why: str
    faults: tuple[str, ...]

    def words(self) -> Mapping[str, object]:
        still = f"; they still are, until it is installed again: {'; '.join(self.faults)}" if self.faults else ""
        return {"table": self.table, "why": self.why, "still": still}


DerivedEvent = NotInSql | OtherCode | Missed
"""All events of derivations."""

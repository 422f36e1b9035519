"""Events about runs of jobs."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from afterwork.events.logged_event import LoggedEvent

Point = Literal["claimed", "ran", "before commit", "after commit"]
"""The points of a run at which something may go wrong; tests inject faults at each."""

SourceKind = Literal["ticket", "timer", "cache", "machine", "once"]
"""The sources of runs: a ticket, a timer's round, a stale cache, a machine's guard, or a once-per-database action."""


@dataclass(frozen=True)
class Reached:
    """A point of a run, or of a batch, that was reached. It is not logged."""

    point: Point
    work: str


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a run that has ended.

    `ended` is the time of the commit. `due` is the time from which it could have begun, None if unknown. `seconds` is
    the time its own code took, of which a batch has many. `ticket` is the key of the ticket or match that asked for it;
    `trace` is the traceback of an exception.
    """

    source: SourceKind
    ticket: str | None
    attempt: int
    due: datetime | None
    ended: datetime
    seconds: float
    trace: str = ""

    @property
    def began(self) -> datetime:
        """Return about when its own code began."""
        return self.ended - timedelta(seconds=self.seconds)

    @property
    def latency(self) -> float | None:
        """Return the seconds from its due time to its end."""
        return None if self.due is None else max(0.0, (self.ended - self.due).total_seconds())


@dataclass(frozen=True)
class _RunEvent(LoggedEvent):
    work: str
    root_id: str | None
    run: str

    def words(self) -> Mapping[str, object]:
        """Return the values for the message. `what` is the work, and its root if it has one."""
        return {**super().words(), "what": self.work if self.root_id is None else f"{self.work} on {self.root_id}"}


@dataclass(frozen=True)
class Ran(_RunEvent):
    """A run that ended well."""

    level = logging.DEBUG
    message = "%(what)s done (run %(run)s)"

    facts: Facts


@dataclass(frozen=True)
class RanTogether(LoggedEvent):
    """Runs of one work on many objects, made by one statement, that ended well. The facts are those of each run."""

    level = logging.DEBUG
    message = "%(work)s on %(count)d objects done (run %(run)s)"

    work: str
    count: int
    run: str
    facts: Facts


@dataclass(frozen=True)
class Failed(_RunEvent):
    """A run that failed, or a ticket that could not be run. `error` is the text of the ticket's Error."""

    level = logging.WARNING
    message = "%(what)s failed (run %(run)s): %(error)s"

    error: str
    facts: Facts


@dataclass(frozen=True)
class WasCancelled(_RunEvent):
    """A run that was cancelled by hand, while it went on or before it began."""

    level = logging.INFO
    message = "%(what)s was cancelled (run %(run)s)"


@dataclass(frozen=True)
class Expired(_RunEvent):
    """A ticket whose turn came after its last time to begin, so that it was not run."""

    level = logging.INFO
    message = "%(what)s was not run (run %(run)s): %(error)s"

    error: str


@dataclass(frozen=True)
class PutOff(_RunEvent):
    """A run that raised and will be tried again after `seconds`."""

    level = logging.INFO
    message = "%(what)s: attempt %(attempt)d raised, next in %(seconds).1f s (run %(run)s): %(error)s"

    error: str
    attempt: int
    seconds: float
    facts: Facts


@dataclass(frozen=True)
class BackOffFailed(LoggedEvent):
    """A back-off function of a retry policy that raised or returned no duration. The default back-off applies."""

    level = logging.WARNING
    message = "the back-off of %(work)s can't be used, the next attempt is in %(seconds).1f s: %(error)s"

    work: str
    error: str
    seconds: float


@dataclass(frozen=True)
class WasWithdrawn(_RunEvent):
    """A ticket that somebody ended or deleted while its external run went on. Nothing of the run was saved."""

    level = logging.WARNING
    message = "the ticket of %(what)s was ended or deleted while it ran: nothing was saved (run %(run)s)"


@dataclass(frozen=True)
class WrittenInPart(_RunEvent):
    """A ticket that ended, though its table refused part of that. `written` names what was written."""

    level = logging.ERROR
    message = "%(what)s has ended (run %(run)s), but the ticket's table accepted only %(written)s: %(error)s"

    written: str
    error: str


@dataclass(frozen=True)
class Unwritable(_RunEvent):
    """A ticket whose table refuses every change of its row. The run is tried again, later each time.

    Emitted once for each ticket. Nothing of the run was saved.
    """

    level = logging.ERROR
    message = (
        "%(what)s can't end (run %(run)s): the ticket's table refuses every change to its row. Nothing "
        "of the run was saved. It is tried again, later each time, while others go on. Check the triggers, constraints "
        "and policies of the table: %(error)s"
    )

    error: str


@dataclass(frozen=True)
class Lost(_RunEvent):
    """A run that another server took over, so that nothing of this one was saved."""

    level = logging.WARNING
    message = "%(what)s was taken over by another server: nothing was saved (run %(run)s)"


@dataclass(frozen=True)
class Abandoned(_RunEvent):
    """A run that went on after its time-out. Its lane and worker are free, and nothing more that it does counts.

    Its thread stays until it ends by itself.
    """

    level = logging.WARNING
    message = (
        "%(what)s was abandoned (run %(run)s): its time-out has passed, and it goes on. Its thread "
        "stays until it ends by itself"
    )


@dataclass(frozen=True)
class TookOver(LoggedEvent):
    """A run of a dead or silent server that this one took over."""

    level = logging.WARNING
    message = "run %(run)s in lane %(lane)s taken over from a dead or silent server (epoch %(epoch)d)"

    run: str
    lane: str
    epoch: int


@dataclass(frozen=True)
class InTheWay(LoggedEvent):
    """A conflict over locks with others. The run is tried again a little later."""

    level = logging.DEBUG
    message = "another transaction is in the way, trying again: %(error)s"

    error: str


@dataclass(frozen=True)
class ManyFailed(LoggedEvent):
    """Runs of a method that were taken together, and whose changes were undone. They are run one by one next."""

    level = logging.WARNING
    message = "%(count)d runs of %(work)s failed together and are tried one by one: %(error)s"

    work: str
    count: int
    error: str


@dataclass(frozen=True)
class ResultNotKept(LoggedEvent):
    """A work that was done, but has returned what its ticket can't keep. Told once for each work by each server."""

    level = logging.WARNING
    message = "%(work)s was done, but what it returned can't be kept: %(error)s"

    work: str
    error: str


@dataclass(frozen=True)
class ConnectionLost(LoggedEvent):
    """A run that lost its connection or worker while the database is up. It is tried again, alone."""

    level = logging.WARNING
    message = "a run has lost its connection and is tried again, alone: %(error)s"

    error: str


RunEvent = (
    Reached | Ran | RanTogether | Failed | WasCancelled | Expired | PutOff | BackOffFailed | WrittenInPart | Unwritable
    | WasWithdrawn | Lost | Abandoned | TookOver | InTheWay | ManyFailed | ResultNotKept | ConnectionLost
)  # fmt: skip
"""All events of runs."""

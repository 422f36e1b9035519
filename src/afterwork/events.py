"""What can be seen of a server from outside, and the one place where it is put into words.

A listener is a function that takes an event. The one that is always there writes log lines.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Literal

from afterwork.interruption import ends_the_program

Point = Literal["claimed", "ran", "before commit", "after commit"]
"""Places in a run at which something may go wrong; faults are tried at each."""


@dataclass(frozen=True)
class Reached:
    """A run, or a batch of them, has come to a point."""

    point: Point
    work: str


SourceKind = Literal["ticket", "timer", "cache", "machine", "once"]
"""What starts runs: a ticket, a round of a timer, something that a cache has read, or a machine's guard; or a run that
is made once per database."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a run that has ended. `ended` is when that was committed. `due` is from when on it could have
    begun; None where nobody has noted it. `seconds` is how long its own code took, of which a batch has many.
    `ticket` is the key of the ticket or match that asked for it; `trace` is the traceback, if it has raised."""

    source: SourceKind
    ticket: str | None
    attempt: int
    due: datetime | None
    ended: datetime
    seconds: float
    trace: str = ""

    @property
    def began(self) -> datetime:
        """About when its own code began."""
        return self.ended - timedelta(seconds=self.seconds)

    @property
    def latency(self) -> float | None:
        """Seconds from when it was due to its end."""
        return None if self.due is None else max(0.0, (self.ended - self.due).total_seconds())


@dataclass(frozen=True)
class Ran:
    """A run has ended well."""

    work: str
    root_id: str | None
    run: str
    facts: Facts


@dataclass(frozen=True)
class Failed:
    """A run has ended badly, or a ticket could not be run at all. `error` is what stands in the ticket."""

    work: str
    root_id: str | None
    run: str
    error: str
    facts: Facts


@dataclass(frozen=True)
class WasCancelled:
    """A run that went on was cancelled by hand, or ended before it began."""

    work: str
    root_id: str | None
    run: str


@dataclass(frozen=True)
class Expired:
    """The turn of a ticket came after the moment after which it was not to begin, so it was not run."""

    work: str
    root_id: str | None
    run: str
    error: str


@dataclass(frozen=True)
class PutOff:
    """A run has raised and will be tried again."""

    work: str
    root_id: str | None
    run: str
    error: str
    attempt: int
    seconds: float
    facts: Facts


@dataclass(frozen=True)
class BackOffFailed:
    """The back-off function of a retry policy raised, or gave no span. The next attempt comes as without one."""

    work: str
    error: str
    seconds: float


@dataclass(frozen=True)
class WasWithdrawn:
    """Somebody has ended or deleted a ticket while it ran outside of a transaction. Nothing of the run was saved."""

    work: str
    root_id: str | None
    run: str


@dataclass(frozen=True)
class WrittenInPart:
    """A ticket has ended, and its table has refused to have all of that written. `written` is what stands there."""

    work: str
    root_id: str | None
    run: str
    written: str
    error: str


@dataclass(frozen=True)
class Lost:
    """A run was taken over by another server, so nothing of this one was saved."""

    work: str
    root_id: str | None
    run: str


@dataclass(frozen=True)
class Abandoned:
    """A run whose time-out had passed went on all the same. Its lane and worker are free, and nothing more that it does
    counts; its thread stays until it ends by itself."""

    work: str
    root_id: str | None
    run: str


@dataclass(frozen=True)
class TookOver:
    """A run whose server is dead or silent was taken over."""

    run: str
    lane: str
    epoch: int


@dataclass(frozen=True)
class ServerStarted:
    """A server looks for work from now on."""

    server: int
    database: str


@dataclass(frozen=True)
class ServerStopping:
    """A server was told to stop, or stops by itself, and says why: nothing more begins, and what runs is let end."""

    server: int
    why: str = ""


@dataclass(frozen=True)
class ServerStopped:
    """A server has stopped. `unfinished` counts runs that did not end within the set time."""

    server: int
    unfinished: int


@dataclass(frozen=True)
class ServerCrashed:
    """Another server is gone without having stopped. What it may have been doing is done one ticket at a time."""

    server: int
    host: str
    process: int


@dataclass(frozen=True)
class DatabaseLost:
    """The database can't be reached. Said once, until it is back."""

    error: str


@dataclass(frozen=True)
class ConnectionLost:
    """A run has lost its connection or its worker while the database is there. It is tried again, alone."""

    error: str


@dataclass(frozen=True)
class DatabaseBack:
    """The database can be reached again."""

    seconds: float


@dataclass(frozen=True)
class Unwritable:
    """The table of a ticket refuses every change of its row. Nothing of the run was saved; it is tried again, later
    each time. Said once for each ticket."""

    work: str
    root_id: str | None
    run: str
    error: str


@dataclass(frozen=True)
class InTheWay:
    """Others hold what a run needs; it is tried again a little later."""

    error: str


@dataclass(frozen=True)
class HeldUp:
    """A worker has been with one run for so many seconds. Another takes its place, so that what waits goes on. Said
    once for each such run."""

    lanes: Sequence[str]
    seconds: float


@dataclass(frozen=True)
class Broken:
    """A part of the server raised what nobody expected. It goes on."""

    where: str
    error: Exception


@dataclass(frozen=True)
class WorkerLost:
    """A thread that runs jobs has ended, and nobody had asked it to. Another one takes its place."""

    thread: str
    error: BaseException | None


@dataclass(frozen=True)
class ListenerRaised:
    """A listener has raised, which changes nothing: it goes on being told what happens. Said once for each."""

    listener: str
    error: BaseException


@dataclass(frozen=True)
class Pruned:
    """Receipts whose DeleteTime had passed were deleted."""

    count: int


@dataclass(frozen=True)
class NotInSql:
    """The SQL side of a derived member can't be used, so its values are calculated in Python, one by one."""

    cache: str
    why: str


@dataclass(frozen=True)
class OtherCode:
    """A server that was started later has brought other code for a cache. This one leaves that cache to it."""

    cache: str


@dataclass(frozen=True)
class Missed:
    """Changes of a table may have gone uncaptured, so what was made of it runs again. `faults` are the reasons why that
    goes on."""

    table: str
    why: str
    faults: tuple[str, ...]


@dataclass(frozen=True)
class Reloaded:
    """A file of jobs was read again."""

    path: str
    jobs: int


@dataclass(frozen=True)
class Fired:
    """A timer had a round for a due time, and matched so many objects."""

    timer: str
    due: str
    matches: int


@dataclass(frozen=True)
class RoundFailed:
    """A timer could not find out which objects to match."""

    timer: str
    error: str


@dataclass(frozen=True)
class TimerIsGone:
    """The database has a timer that the model has not: it was renamed or taken out."""

    timer: str


@dataclass(frozen=True)
class Acted:
    """Somebody has done something by hand: `who` did `what` (retried, paused …) on what."""

    who: str
    what: str
    on: str


@dataclass(frozen=True)
class CantBeWoken:
    """A server looks for work at short intervals, since this PostgreSQL lets transactions be prepared, and those who
    notified it could not prepare theirs. Said once."""

    server: int
    every: timedelta


@dataclass(frozen=True)
class FellAsleep:
    """Nothing is due, and the server waits until it is woken."""

    server: int


Event = (
    Reached | Ran | Failed | WasCancelled | Expired | PutOff | BackOffFailed | WrittenInPart | Unwritable
    | WasWithdrawn | Lost | TookOver
    | ServerStarted | ServerStopping | ServerStopped | ServerCrashed | DatabaseLost | ConnectionLost | DatabaseBack
    | InTheWay | Broken | WorkerLost | ListenerRaised | Pruned | NotInSql | OtherCode | Missed | Reloaded | HeldUp
    | Abandoned
    | Fired | RoundFailed | TimerIsGone | Acted | FellAsleep | CantBeWoken
)  # fmt: skip

MOST_NAMED = 3
"""Lanes that a message names, at most."""

Listener = Callable[[Event], None]


class ListenersThatRaised:
    """Remembers which listeners have raised, so that each is named in the log once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: list[Listener] = []

    def is_first(self, listener: Listener) -> bool:
        """Take note of a listener. False if it is known already."""
        with self._lock:
            is_new = not any(known is listener for known in self._known)
            if is_new:
                self._known.append(listener)
            return is_new


class Events:
    """Tells listeners what happens."""

    def __init__(self, listeners: Sequence[Listener] = (), raised: ListenersThatRaised | None = None) -> None:
        self._listeners = (log, *listeners)
        self._raised = raised or ListenersThatRaised()

    def also(self, listener: Listener) -> "Events":
        """The same, and one more listener."""
        return Events([*self._listeners[1:], listener], self._raised)

    def emit(self, event: Event) -> None:
        """Tell all listeners. What one of them raises holds up neither the others nor what has happened."""
        for listener in self._listeners:
            try:
                listener(event)
            except BaseException as error:
                if ends_the_program(error):
                    raise
                if self._raised.is_first(listener):
                    self.emit(ListenerRaised(getattr(listener, "__qualname__", type(listener).__name__), error))


logger = logging.getLogger("afterwork")


def log(event: Event) -> None:  # noqa: PLR0912, PLR0915 - one case for each event, all words in one place
    """Write an event to the log "afterwork"."""
    match event:
        case Reached() | FellAsleep():
            pass
        case Ran(work, root_id, run):
            _say(event, logging.DEBUG, "%s on %s done (run %s)", work, root_id, run)
        case Failed(work, root_id, run, error):
            _say(event, logging.WARNING, "%s on %s failed (run %s): %s", work, root_id, run, error)
        case WasCancelled(work, root_id, run):
            _say(event, logging.INFO, "%s on %s was cancelled (run %s)", work, root_id, run)
        case Expired(work, root_id, run, error):
            _say(event, logging.INFO, "%s on %s was not run (run %s): %s", work, root_id, run, error)
        case PutOff(work, root_id, run, error, attempt, seconds):
            _say(
                event,
                logging.INFO,
                "%s on %s: attempt %d raised, next in %.1f s (run %s): %s",
                work,
                root_id,
                attempt,
                seconds,
                run,
                error,
            )
        case BackOffFailed(work, error, seconds):
            _say(
                event,
                logging.WARNING,
                "the back-off of %s can't be used, the next attempt is in %.1f s: %s",
                work,
                seconds,
                error,
            )
        case WasWithdrawn(work, root_id, run):
            _say(
                event,
                logging.WARNING,
                "the ticket of %s on %s was ended or deleted while it ran, nothing of it saved (run %s)",
                work,
                root_id,
                run,
            )
        case WrittenInPart(work, root_id, run, written, error):
            _say(
                event,
                logging.ERROR,
                "%s on %s has ended (run %s), and its ticket's table took no more of that than %s: %s",
                work,
                root_id,
                run,
                written,
                error,
            )
        case Unwritable(work, root_id, run, error):
            _say(
                event,
                logging.ERROR,
                "%s on %s can't end (run %s): its ticket's table refuses every change of that row. Nothing of the run "
                "was saved, and it is tried again, later each time; others go on. Look at the triggers, checks and "
                "policies of the table: %s",
                work,
                root_id,
                run,
                error,
            )
        case Lost(work, root_id, run):
            _say(
                event,
                logging.WARNING,
                "%s on %s was taken over by another server, nothing saved (run %s)",
                work,
                root_id,
                run,
            )
        case Abandoned(work, root_id, run):
            _say(
                event,
                logging.WARNING,
                "%s on %s has been abandoned: its timeout has passed, and it goes on. Its thread stays (run %s)",
                work,
                root_id,
                run,
            )
        case TookOver(run, lane, epoch):
            _say(
                event,
                logging.WARNING,
                "run %s in lane %s taken over from a dead or silent server (epoch %d)",
                run,
                lane,
                epoch,
            )
        case ServerStarted(server, database):
            _say(event, logging.INFO, "server %d started on %s", server, database)
        case CantBeWoken(server, every):
            _say(
                event,
                logging.WARNING,
                "server %d looks for work each %g s and is not woken: max_prepared_transactions is not 0, and a "
                "transaction that has notified a server can't be prepared. If none that writes tickets or watched "
                "tables ever is, set Settings(notify=True); to have this said no more, notify=False",
                server,
                every.total_seconds(),
            )
        case ServerStopping(server, why):
            because = f": {why}" if why else ""
            _say(event, logging.INFO, "server %d stops as soon as its runs have ended%s", server, because)
        case ServerStopped(server, unfinished):
            _say(event, logging.INFO, "server %d stopped, unfinished runs: %d", server, unfinished)
        case ServerCrashed(server, host, process):
            _say(
                event,
                logging.WARNING,
                "server %d (process %d on %s) is gone without having stopped",
                server,
                process,
                host,
            )
        case DatabaseLost(error):
            _say(event, logging.ERROR, "the database can't be reached, waiting for it: %s", error)
        case ConnectionLost(error):
            _say(event, logging.WARNING, "a run has lost its connection, it is tried again alone: %s", error)
        case DatabaseBack(seconds):
            _say(event, logging.INFO, "the database is back after %.1f s", seconds)
        case InTheWay(error):
            _say(event, logging.DEBUG, "others are in the way, trying again: %s", error)
        case HeldUp(lanes, seconds):
            _say(
                event,
                logging.WARNING,
                "a run in lane %s has gone on for %g s: another worker takes the place of its own",
                _some(lanes),
                seconds,
            )
        case Broken(where, error):
            _say(event, logging.ERROR, "%s raised %s", where, type(error).__name__, exc_info=error)
        case WorkerLost(thread, error):
            _say(event, logging.ERROR, "the thread %s was lost and is replaced", thread, exc_info=error)
        case ListenerRaised(listener, error):
            _say(
                event,
                logging.ERROR,
                "the listener %s raised %s; it is told of events as before, and this is not said again",
                listener,
                type(error).__name__,
                exc_info=error,
            )
        case NotInSql(cache, why):
            _say(event, logging.WARNING, "%s is calculated in Python, its SQL side can't be used: %s", cache, why)
        case OtherCode(cache):
            _say(
                event,
                logging.WARNING,
                "%s has other code by now, of a server that was started later: it is left to that one",
                cache,
            )
        case Missed(table, why, faults):
            _say(
                event,
                logging.WARNING,
                "changes of %s may have been missed (%s), what was made of it runs again%s",
                table,
                why,
                f"; they still are, until it is installed again: {'; '.join(faults)}" if faults else "",
            )
        case Reloaded(path, jobs):
            _say(event, logging.INFO, "%s was read again: %d jobs", path, jobs)
        case Fired(timer, due, matches):
            _say(event, logging.DEBUG, "timer %s, due %s: %d matches", timer, due, matches)
        case RoundFailed(timer, error):
            _say(event, logging.WARNING, "timer %s could not begin its round: %s", timer, error)
        case TimerIsGone(timer):
            _say(event, logging.WARNING, "timer %s is not in the model any more and does not fire", timer)
        case Acted(who, what, on):
            _say(event, logging.INFO, "%s %s %s", who, what, on)
        case Pruned(count):
            _say(event, logging.DEBUG, "%d receipts deleted", count)


def _some(names: Sequence[str]) -> str:
    """Return the first of several names, and how many others there are."""
    first, others = names[:MOST_NAMED], len(names) - MOST_NAMED
    return f"{', '.join(first)} or {others} others" if others > 0 else " or ".join(first)


def _say(event: Event, level: int, words: str, *values: object, exc_info: BaseException | None = None) -> None:
    """Write one line, which carries the event, for formatters that show its fields."""
    if logger.isEnabledFor(level):
        logger.log(level, words, *values, exc_info=exc_info, extra={"event": event})

"""A run: one execution of a job on one root, and its possible outcomes."""

import traceback
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy.orm import Mapper

from afterwork.boundary import failure_of
from afterwork.errors import Escaped, ManyCurrentRuns, NoCurrentRun
from afterwork.events import (
    Event,
    Expired,
    Facts,
    Failed,
    InTheWay,
    Lost,
    PutOff,
    Ran,
    RanTogether,
    SourceKind,
    WasCancelled,
    WasWithdrawn,
)
from afterwork.jobs.results import KeptResult
from afterwork.model.external_id import name_of
from afterwork.model.key import key_text
from afterwork.saving.current_work import CURRENT_WORK, CurrentWork
from afterwork.store.progress import CANCELLED
from afterwork.store.tickets.end_forms import AS_ASKED, EXPIRED_PREFIX, EndForm

NO_LANE = ""
"""The lane of runs beside all lanes."""


@dataclass(frozen=True)
class Run:
    """The current run. `id` stays the same however often the work is tried, so that it can serve as an idempotence key
    for other systems."""

    _source: tuple[uuid.UUID, str] = field(repr=False)
    work: str
    """The name of what runs: `Class.method`, or a view model."""
    root_id: str | None
    """The external id of its root, `Customer!42`; None without one."""
    lane: str
    """The name of its lane, "" for none."""
    attempt: int
    """The number of this attempt, from 1."""
    ticket: Any = field(default=None, repr=False)
    """The key of the ticket that asked for it; None if something else started it."""
    source: SourceKind = field(default="ticket", repr=False)
    """The kind of what started it."""
    due: datetime | None = field(default=None, repr=False)
    """The time from which on it could have begun, if that was noted."""
    trace_parent: str | None = field(default=None, repr=False)
    """The span in which its ticket was saved, as W3C Trace Context writes it; see `afterwork.ext.opentelemetry`."""

    deadline: datetime | None = field(default=None, repr=False)
    """The time at which this attempt times out; None if it never does."""
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The arguments that its request gave, by name."""

    @property
    def what(self) -> str:
        """Return its work, and its root if it has one, for messages."""
        return self.work if self.root_id is None else f"{self.work} on {self.root_id}"

    @property
    def is_first_attempt(self) -> bool:
        """Return whether it was never tried before."""
        return self.attempt == 1

    @cached_property
    def id(self) -> uuid.UUID:
        """Return the UUID of the run, which is the same in each attempt."""
        return uuid.uuid5(*self._source)  # slow, so only jobs that ask for it pay


_current: ContextVar[Run | None] = ContextVar("afterwork_run")
"""The run that goes on; None in a call that belongs to several runs."""


def current_run() -> Run:
    """Return the run that this code is part of. Raises `NoCurrentRun` outside runs.

    Also raises it, as `ManyCurrentRuns`, in a function for many, whose call belongs to several runs.
    """
    try:
        run = _current.get()
    except LookupError:
        raise NoCurrentRun() from None
    if run is None:
        raise ManyCurrentRuns()
    return run


@contextmanager
def running(run: Run) -> Iterator[None]:
    token, work_token = _current.set(run), CURRENT_WORK.set(CurrentWork(run.work, run.ticket))
    try:
        yield
    finally:
        _current.reset(token)
        CURRENT_WORK.reset(work_token)


@contextmanager
def running_many(work: str) -> Iterator[None]:
    """Let the block belong to several runs of a work, none of which is the current one."""
    token, work_token = _current.set(None), CURRENT_WORK.set(CurrentWork(work))
    try:
        yield
    finally:
        _current.reset(token)
        CURRENT_WORK.reset(work_token)


MAX_ERROR_LENGTH = 4000
"""Characters of an exception kept in a ticket's Error."""

MAX_TRACE_LENGTH = 8000
"""Characters of a traceback kept in a record."""


@dataclass(frozen=True)
class Succeeded:
    """The work was done; its effects and the mark that it is done are committed together. `seconds` is the time that
    its own code took, and `result` what of its result is kept."""

    seconds: float = field(default=0.0, compare=False, repr=False)
    result: KeptResult | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class SucceededTogether:
    """One statement did the work for the objects with these keys. `seconds` is the time that each took on average."""

    mapper: Mapper[Any]
    keys: Sequence[tuple[Any, ...]]
    seconds: float


@dataclass(frozen=True)
class Rejected:
    """The work was not begun (unknown work or root, false precondition), or was cancelled, so that nothing was saved.
    `error` stands in Error."""

    error: str
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """The form in which it is written into the ticket."""


@dataclass(frozen=True)
class Raised:
    """The work raised; nothing of it was saved. `again_after` is set if a retry policy grants another attempt.
    `seconds` is the time until it raised, `trace` the traceback."""

    error: str
    again_after: timedelta | None = None
    seconds: float = field(default=0.0, compare=False, repr=False)
    trace: str = field(default="", compare=False, repr=False)
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """The form in which it is written into the ticket."""

    def with_second(self, error: Exception) -> "Raised":
        """Return the same outcome for a run whose `on_exception` raised as well."""
        return replace(self, error=f"{self.error}\non_exception raised, too: {text_of(error)}")


@dataclass(frozen=True)
class Hindered:
    """Others had locked what the run needed, or its ticket could not be written; nothing of the run was saved. It is
    tried again after `again_after`, and this attempt is not counted. `error` says what was in its way."""

    error: str
    again_after: timedelta


@dataclass(frozen=True)
class Superseded:
    """Another server took over the run; nothing of this one was saved."""


@dataclass(frozen=True)
class Withdrawn:
    """Somebody ended or deleted the ticket while it ran; nothing of the run was saved."""


Outcome = Succeeded | Rejected | Raised | Hindered | Superseded | Withdrawn
"""The possible ends of a run. A `match` over these classes is exhaustive."""


def apart(run: Run, outcome: Outcome | SucceededTogether) -> Iterator[tuple[Run, Outcome]]:
    """Yield the runs of single objects, each with its outcome."""
    match outcome:
        case SucceededTogether(mapper, keys, seconds):
            namespace, name = run._source
            each = Succeeded(seconds)
            for root in (name_of(mapper, key) for key in keys):  # thousands, for which `replace` would be slow
                source = namespace, f"{name} {root}"
                yield Run(source, run.work, root, run.lane, run.attempt, source=run.source, due=run.due), each
        case _:
            yield run, outcome


def event_of(run: Run, outcome: Outcome | SucceededTogether, ended: datetime) -> Event:
    """Return the event that tells how a run has ended."""
    work, root_id, number = run.work, run.root_id, str(run.id)
    event: Event
    match outcome:
        case Succeeded(seconds):
            event = Ran(work, root_id, number, _facts(run, ended, seconds))
        case SucceededTogether(keys=keys, seconds=seconds):
            event = RanTogether(work, len(keys), number, _facts(run, ended, seconds))
        case Raised(error, again_after, seconds, trace) if again_after is not None:
            facts, pause = _facts(run, ended, seconds, trace), again_after.total_seconds()
            event = PutOff(work, root_id, number, error, run.attempt, pause, facts)
        case Rejected(error=error) if error == CANCELLED:
            event = WasCancelled(work, root_id, number)
        case Rejected(error=error) if error.startswith(EXPIRED_PREFIX):
            event = Expired(work, root_id, number, error)
        case Raised(error=error, seconds=seconds, trace=trace):
            event = Failed(work, root_id, number, error, _facts(run, ended, seconds, trace))
        case Rejected(error=error):
            event = Failed(work, root_id, number, error, _facts(run, ended))
        case Hindered(error):
            event = InTheWay(error)
        case Superseded():
            event = Lost(work, root_id, number)
        case Withdrawn():
            event = WasWithdrawn(work, root_id, number)
    return event


def _facts(run: Run, ended: datetime, seconds: float = 0.0, trace: str = "") -> Facts:
    ticket = None if run.ticket is None else key_text(run.ticket)
    return Facts(run.source, ticket, run.attempt, run.due, ended, seconds, trace)


def text_of(error: BaseException) -> str:
    """Return an exception as text that any database can keep: class, message, and the place that raised it."""
    error = _raised(error)
    try:
        message = str(error)
    except BaseException as broken:
        message = f"(its text can't be had: {type(failure_of(broken)).__name__})"
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({frame.filename.rpartition('/')[2]}:{frame.lineno}, in {frame.name})" for frame in frames)
    return printable(f"{type(error).__name__}: {message}", MAX_ERROR_LENGTH - len(place)) + place


def trace_of(error: BaseException) -> str:
    """Return the traceback of an exception as text that any database can keep; its end if it is too long."""
    try:
        text = "".join(traceback.format_exception(_raised(error)))
    except BaseException as broken:
        text = f"(the traceback can't be had: {type(failure_of(broken)).__name__})"
    return printable(text[-MAX_TRACE_LENGTH:], MAX_TRACE_LENGTH)


def _raised(error: BaseException) -> BaseException:
    """Return the exception that the application's code raised."""
    return error.raised if isinstance(error, Escaped) else error


def printable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """Escape what can't be stored or shown, and cut the text to `limit` characters, noting its full length."""
    kept = text[:limit]
    clean = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in kept)[:limit]
    return clean if len(text) <= limit else f"{clean[: limit - 30]}… ({len(text):,} characters)"

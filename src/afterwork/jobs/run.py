"""A run: one execution of a job on one root."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from afterwork.errors import NoCurrentRun
from afterwork.events import SourceKind
from afterwork.saving.current_work import CURRENT_WORK, CurrentWork

NO_LANE = ""
"""The lane of runs beside all lanes."""


@dataclass(frozen=True)
class Run:
    """The current run. `id` stays the same however often the work is tried, so that it can serve as an idempotence key
    for other systems. `attempt` counts from 1."""

    _source: tuple[uuid.UUID, str] = field(repr=False)
    work: str
    root_id: str | None
    lane: str
    attempt: int
    ticket: Any = field(default=None, repr=False)
    """The key of the ticket that asked for it; None if something else started it."""
    source: SourceKind = field(default="ticket", repr=False)
    due: datetime | None = field(default=None, repr=False)
    """The time from which on it could have begun, if that was noted."""
    trace_parent: str | None = field(default=None, repr=False)
    """The span in which its ticket was saved, as W3C Trace Context writes it; see `afterwork.ext.opentelemetry`."""

    @cached_property
    def id(self) -> uuid.UUID:
        return uuid.uuid5(*self._source)  # slow, so only jobs that ask for it pay


_current: ContextVar[Run] = ContextVar("afterwork_run")


def current_run() -> Run:
    """Return the run that this code is part of. Raises `NoCurrentRun` outside runs."""
    try:
        return _current.get()
    except LookupError:
        raise NoCurrentRun() from None


@contextmanager
def running(run: Run) -> Iterator[None]:
    """Make `run` the current one."""
    token, work_token = _current.set(run), CURRENT_WORK.set(CurrentWork(run.work, run.ticket))
    try:
        yield
    finally:
        _current.reset(token)
        CURRENT_WORK.reset(work_token)

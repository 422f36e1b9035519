"""The work that runs now, as the log of transitions and the requests of states need to know it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from afterwork.errors import NoCurrentRun


@dataclass(frozen=True)
class CurrentWork:
    """The work that runs, and the key of the ticket that asked for it, if one did."""

    work: str
    ticket: Any = None


CURRENT_WORK: ContextVar[CurrentWork | None] = ContextVar("afterwork_mover", default=None)
"""The work that runs in this thread or task; None outside of Afterwork's runs."""


_SESSION: ContextVar[Session] = ContextVar("afterwork_session")
"""The session of the run that goes on."""


@contextmanager
def working_in(session: Session) -> Iterator[None]:
    """Let `aw.session()` be this session while the block lasts."""
    token = _SESSION.set(session)
    try:
        yield
    finally:
        _SESSION.reset(token)


def session_of_run() -> Session:
    """Return the session of the run that goes on. Raises `NoCurrentRun` outside of one."""
    try:
        return _SESSION.get()
    except LookupError:
        raise NoCurrentRun() from None


def running_work() -> str | None:
    """Return the name of the work that runs, or None outside of Afterwork's runs."""
    current = CURRENT_WORK.get()
    return None if current is None else current.work


STATEMENTS_AT_END = "afterwork.statements_at_end"
"""The key in a session's `info` for the statements to execute when its run ends, if it writes only then."""

REQUESTS_AT_END = "afterwork.requests_at_end"
"""The key in a session's `info` for the unique requests of a run that writes only at its end."""

BEGUN_RUNS = "afterwork.begun_runs"
"""The key of a session's `info` for the runs of tickets that have begun in its transaction, this one included."""


class _BegunRun(Protocol):
    @property
    def work(self) -> str: ...
    @property
    def root_id(self) -> str | None: ...
    @property
    def ticket(self) -> Any: ...


def begun_tickets(session: Session, work: str, root_id: str | None) -> list[Any]:
    """Return the keys of the tickets for a work on a root whose runs have begun in a session's transaction."""
    begun: Sequence[_BegunRun] = session.info.get(BEGUN_RUNS, ())
    return [run.ticket for run in begun if run.root_id == root_id and run.work == work]

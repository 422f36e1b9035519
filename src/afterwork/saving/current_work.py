"""The work that runs now, as the log of transitions and the requests of states need to know it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class CurrentWork:
    """The work that runs, and the key of the ticket that asked for it, if one did."""

    work: str
    ticket: Any = None


CURRENT_WORK: ContextVar[CurrentWork | None] = ContextVar("afterwork_mover", default=None)
"""The work that runs in this thread or task; None outside of Afterwork's runs."""


def running_work() -> str | None:
    """Return the name of the work that runs, or None outside of Afterwork's runs."""
    current = CURRENT_WORK.get()
    return None if current is None else current.work

"""The possible outcomes of a run."""

import traceback
from dataclasses import dataclass, field, replace
from datetime import timedelta

from afterwork.boundary import failure_of
from afterwork.errors import Escaped
from afterwork.store.tickets.end_forms import AS_ASKED, EndForm

MAX_ERROR_LENGTH = 4000
"""Characters of an exception kept in a ticket's Error."""

MAX_TRACE_LENGTH = 8000
"""Characters of a traceback kept in a record."""


@dataclass(frozen=True)
class Succeeded:
    """The work was done; its effects and the mark that it is done are committed together. `seconds` is the time that
    its own code took."""

    seconds: float = field(default=0.0, compare=False, repr=False)


@dataclass(frozen=True)
class Rejected:
    """The work was not begun (unknown work or root, false precondition), or was cancelled, so that nothing was saved.
    `reason` stands in Error."""

    reason: str
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """The form in which it is written into the ticket."""


@dataclass(frozen=True)
class Raised:
    """The work raised; nothing of it was saved. `again_after` is set if a retry policy grants another attempt.
    `seconds` is the time until it raised, `trace` the traceback."""

    text: str
    again_after: timedelta | None = None
    seconds: float = field(default=0.0, compare=False, repr=False)
    trace: str = field(default="", compare=False, repr=False)
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """The form in which it is written into the ticket."""

    def with_second(self, error: Exception) -> "Raised":
        """Return the same outcome for a run whose `on_exception` raised as well."""
        return replace(self, text=f"{self.text}\non_exception raised, too: {text_of(error)}")


@dataclass(frozen=True)
class Hindered:
    """Others had locked what the run needed, or its ticket could not be written; nothing of the run was saved. It is
    tried again, and this attempt is not counted."""

    text: str
    again_after: timedelta


@dataclass(frozen=True)
class Superseded:
    """Another server took over the run; nothing of this one was saved."""


@dataclass(frozen=True)
class Withdrawn:
    """Somebody ended or deleted the ticket while it ran; nothing of the run was saved."""


Outcome = Succeeded | Rejected | Raised | Hindered | Superseded | Withdrawn


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

"""What can come of a run."""

import traceback
from dataclasses import dataclass, field, replace
from datetime import timedelta

from afterwork.boundary import failure_of
from afterwork.errors import Escaped
from afterwork.store.tickets.end_forms import AS_ASKED, EndForm

MAX_ERROR_LENGTH = 4000
"""Characters of an exception that are kept in a ticket's Error."""

MAX_TRACE_LENGTH = 8000
"""Characters of a traceback that are kept."""


@dataclass(frozen=True)
class Succeeded:
    """The work was done, and its effects and the mark that it is done are committed together. `seconds` is how long its
    own code took."""

    seconds: float = field(default=0.0, compare=False, repr=False)


@dataclass(frozen=True)
class Rejected:
    """The work was not begun: unknown work or root, a false precondition; or it was cancelled, so that nothing of it
    was saved. `reason` stands in Error."""

    reason: str
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """How much of it stands in the ticket."""


@dataclass(frozen=True)
class Raised:
    """The work raised; nothing of it was saved. `again_after` is set if a retry policy gives it another attempt.
    `seconds` is how long it took to raise, `trace` is the traceback."""

    text: str
    again_after: timedelta | None = None
    seconds: float = field(default=0.0, compare=False, repr=False)
    trace: str = field(default="", compare=False, repr=False)
    form: EndForm = field(default=AS_ASKED, compare=False, repr=False)
    """How much of it stands in the ticket."""

    def with_second(self, error: Exception) -> "Raised":
        """The same, where `on_exception` has raised as well."""
        return replace(self, text=f"{self.text}\non_exception raised, too: {text_of(error)}")


@dataclass(frozen=True)
class Hindered:
    """Others held what the run needed, or nothing could be written of its ticket; nothing of the run was saved. It is
    tried again, and this is not counted."""

    text: str
    again_after: timedelta


@dataclass(frozen=True)
class Superseded:
    """Another server took the run over; nothing of this one was saved."""


@dataclass(frozen=True)
class Withdrawn:
    """Somebody has ended or deleted the ticket while it ran; nothing of the run was saved."""


Outcome = Succeeded | Rejected | Raised | Hindered | Superseded | Withdrawn


def text_of(error: BaseException) -> str:
    """An exception as text that any database can keep: class, message, and the place where it was raised."""
    error = _raised(error)
    try:
        message = str(error)
    except BaseException as broken:
        message = f"(its text can't be had: {type(failure_of(broken)).__name__})"
    where = traceback.extract_tb(error.__traceback__)[-1:]
    place = "".join(f" ({frame.filename.rpartition('/')[2]}:{frame.lineno}, in {frame.name})" for frame in where)
    return printable(f"{type(error).__name__}: {message}", MAX_ERROR_LENGTH - len(place)) + place


def trace_of(error: BaseException) -> str:
    """The traceback of an exception as text that any database can keep, its end rather than its begin."""
    try:
        whole = "".join(traceback.format_exception(_raised(error)))
    except BaseException as broken:
        whole = f"(the traceback can't be had: {type(failure_of(broken)).__name__})"
    return printable(whole[-MAX_TRACE_LENGTH:], MAX_TRACE_LENGTH)


def _raised(error: BaseException) -> BaseException:
    """The exception that the application's code raised."""
    return error.raised if isinstance(error, Escaped) else error


def printable(text: str, limit: int = MAX_ERROR_LENGTH) -> str:
    """Text without what can't be stored or shown, cut to `most` characters with a note of how many there were."""
    kept = text[:limit]
    clean = "".join(c if c.isprintable() or c in "\n\t" else ascii(c)[1:-1] for c in kept)[:limit]
    return clean if len(text) <= limit else f"{clean[: limit - 30]}… ({len(text):,} characters)"

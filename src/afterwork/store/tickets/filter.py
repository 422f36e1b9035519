"""Filters that select tickets: their textual form, and their conditions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal, Self

from sqlalchemy import ColumnElement, and_, or_, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from afterwork.errors import BadRequest, shown
from afterwork.model.flow import AWAITING
from afterwork.model.key import key_as_text
from afterwork.store.tickets.end_forms import EXPIRED_PREFIX

TicketState = Literal["waiting", "scheduled", "awaiting", "running", "failed", "expired", "done"]
"""The state of a ticket: due, waiting for a time, awaiting other tickets, in an external run, failed, too late, or
done. Others can't see a run inside a transaction: its ticket is waiting until the run has ended."""

STATES: tuple[TicketState, ...] = ("waiting", "scheduled", "awaiting", "running", "failed", "expired", "done")

PENDING: tuple[TicketState, ...] = ("waiting", "scheduled", "awaiting", "running")

WantedState = TicketState | Literal["pending"]
"""A state to filter by. `pending` is each of the first four: the ticket has not ended."""

WANTED: tuple[WantedState, ...] = (*STATES, "pending")

QUALIFIERS = ("work", "root", "error", "lane")

_WORD = re.compile(r"""(?:(?P<name>[a-z]+):)?(?:"(?P<quoted>(?:[^"]|"")*)"(?!\S)|(?P<plain>\S+))""")


@dataclass(frozen=True)
class TicketFilter:
    """A filter for tickets that meet all given parts. `work` and `error` are parts of these texts, ignoring case;
    `root` is an external id, or a class for all its objects; `lane` is the name of a lane. Each of the `words` is part
    of the work, the root or the error, or is the ticket's key."""

    state: WantedState | None = None
    work: str | None = None
    root: str | None = None
    error: str | None = None
    lane: str | None = None
    words: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str, state: WantedState | None = None) -> Self:
        """Parse a filter from text like `work:remind root:Customer!42 error:"no answer" monday`. In quotes, a quote is
        written twice.

        Raises `BadRequest` for an unknown or repeated qualifier.
        """
        parts: dict[str, str] = {}
        words: list[str] = []
        for name, value in _parts(text):
            if name is None:
                words.append(value)
            elif name not in QUALIFIERS:
                known = ", ".join(f"{qualifier}:" for qualifier in QUALIFIERS)
                raise BadRequest(
                    f'Nothing can be searched by {shown(name + ":")}, only by {known}. Text goes into "quotes".'
                )
            elif name in parts:
                raise BadRequest(f"{name}: is there twice. A ticket has one {name}.")
            else:
                parts[name] = value
        return cls(state=state, words=tuple(words), **parts)

    def __str__(self) -> str:
        """Return the text that `read` parses, without the state."""
        named = [(name, getattr(self, name)) for name in QUALIFIERS]
        return " ".join([*(written(*part) for part in named if part[1] is not None), *map(_written, self.words)])

    def __post_init__(self) -> None:
        for text in (self.work, self.root, self.error, self.lane, *self.words):
            check_text(text or "")

    def narrowed(self, **parts: str | None) -> "TicketFilter":
        """Return the filter with the given parts (named as the fields are) replaced."""
        given: dict[str, Any] = {name: value for name, value in parts.items() if value}
        return replace(self, **given)

    def of_state(self, state: WantedState | None) -> "TicketFilter":
        return replace(self, state=state)

    @property
    def is_all(self) -> bool:
        return not any(getattr(self, part.name) for part in fields(self))


def check_text(text: str) -> None:
    """Raise `BadRequest` for a text that no database can hold, so that nothing can be found by it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRequest(f"{shown(text)} is no text: half of a character stands alone in it.") from None
    if "\0" in text:
        raise BadRequest(f"{shown(text)} has a NUL character in it, which no text in a database has.")


def _parts(text: str) -> Iterator[tuple[str | None, str]]:
    for match in _WORD.finditer(text):
        quoted = match["quoted"]
        value = match["plain"] if quoted is None else quoted.replace('""', '"')
        if value:
            yield match["name"], value


def written(qualifier: str, value: str) -> str:
    """Return the text by which `TicketFilter.read` finds exactly this value: `root:"Garden!north side"`."""
    return f"{qualifier}:{_written(value)}"


def _written(value: str) -> str:
    needs_quotes = re.search(r'\s|^"', value) or re.match(r"[a-z]+:", value)
    doubled = value.replace('"', '""')
    return f'"{doubled}"' if needs_quotes else value


def state_of(done: object, error: object, earliest: datetime | None, has_begun: bool, now: datetime) -> TicketState:
    """Return the state of a ticket by its row, and by whether an external run holds it."""
    if error is not None:
        return "expired" if str(error).startswith(EXPIRED_PREFIX) else "failed"
    if done is not None:
        return "done"
    if has_begun:
        return "running"
    if earliest is None or earliest <= now:
        return "waiting"
    return "awaiting" if earliest == AWAITING else "scheduled"


ALL = TicketFilter()
"""The filter that every ticket meets."""


ShownColumns = ReadOnlyColumnCollection[str, Any]


def meets(c: ShownColumns, wanted: TicketFilter, now: Any) -> ColumnElement[bool]:
    """Return the condition that a ticket, by its shown columns, meets a filter. External runs are not considered."""
    return and_(true(), *_conditions(c, wanted, now))


def _conditions(c: ShownColumns, wanted: TicketFilter, now: Any) -> Iterator[ColumnElement[bool]]:
    if wanted.state is not None:
        yield _is_in(c, wanted.state, now)
    if wanted.work is not None:
        yield c.work.icontains(wanted.work, autoescape=True)
    if wanted.root is not None:
        own = f"{wanted.root}!"
        yield c.root_id == wanted.root if "!" in wanted.root else c.root_id.startswith(own, autoescape=True)
    if wanted.error is not None:
        yield c.error.icontains(wanted.error, autoescape=True)
    if wanted.lane is not None:
        yield c.lane == wanted.lane
    for word in wanted.words:
        texts = (c.work, c.root_id, c.error)
        yield or_(*(text.icontains(word, autoescape=True) for text in texts), key_as_text(c.key) == word)


def _is_in(c: ShownColumns, state: WantedState, now: Any) -> ColumnElement[bool]:
    pending, awaits = and_(c.done.is_(None), c.error.is_(None)), c.earliest == _like(AWAITING, now)
    match state:
        case "waiting":
            return and_(pending, or_(c.earliest.is_(None), c.earliest <= now))
        case "scheduled" | "awaiting":
            return and_(pending, c.earliest > now, awaits if state == "awaiting" else ~awaits)
        case "failed":
            return and_(c.error.is_not(None), ~c.error.startswith(EXPIRED_PREFIX))
        case "expired":
            return and_(c.error.is_not(None), c.error.startswith(EXPIRED_PREFIX))
        case "done":
            return and_(c.done.is_not(None), c.error.is_(None))
        case _:
            return pending


def _like(moment: datetime, now: datetime) -> datetime:
    """Return a timestamp in the form of another one, which a column of naive ones may need."""
    return moment if now.tzinfo is not None else moment.replace(tzinfo=None)

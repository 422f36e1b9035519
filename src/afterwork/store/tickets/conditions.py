"""The conditions of a filter on tickets."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, true
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from afterwork.model.key import key_as_text
from afterwork.store.tickets.expiry import EXPIRED_PREFIX
from afterwork.store.tickets.filter import TicketFilter, Wanted

Shown = ReadOnlyColumnCollection[str, Any]


def meets(c: Shown, wanted: TicketFilter, now: Any) -> ColumnElement[bool]:
    """Return the condition that a ticket, by its shown columns, meets a filter. External runs are not considered."""
    return and_(true(), *_parts(c, wanted, now))


def _parts(c: Shown, wanted: TicketFilter, now: Any) -> Iterator[ColumnElement[bool]]:
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


def _is_in(c: Shown, state: Wanted, now: Any) -> ColumnElement[bool]:
    pending = and_(c.done.is_(None), c.error.is_(None))
    match state:
        case "pending" | "running":
            return pending
        case "waiting":
            return and_(pending, or_(c.earliest.is_(None), c.earliest <= now))
        case "scheduled":
            return and_(pending, c.earliest > now)
        case "failed":
            return and_(c.error.is_not(None), ~c.error.startswith(EXPIRED_PREFIX))
        case "expired":
            return and_(c.error.is_not(None), c.error.startswith(EXPIRED_PREFIX))
        case "done":
            return and_(c.done.is_not(None), c.error.is_(None))

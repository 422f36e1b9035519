"""The objects of one cache, a page at a time: all, or those in one state."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from afterwork.derived.explain.explainer import STANDING, CacheLine, State, line_of, state_in
from afterwork.errors import BadRequest, shown
from afterwork.insight.page import MAX_ROWS_READ, ListPage, page
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues

Value = TypeVar("Value")

SEPARATOR = "~"
"""Separates the timestamp from the number of a cache in `after`."""


def caches_of(connection: Connection, name: str, state: State | None, after: str | None) -> ListPage[CacheLine]:
    """Return a page of the objects of a cache, all or those in one state.

    `after` is the `next` of the previous page. Those that are due come in the order in which they run, the others by
    object. Raises `BadRequest` for a malformed `after`.
    """
    number = connection.execute(select(derivations.c.id).where(derivations.c.name == name)).scalar()
    if number is None:
        return ListPage((), None)
    match state:
        case "stale" | "never run":
            rows = connection.execute(_by_moment(number, after)).all()
            place = _moment
        case "running":
            rows, place = connection.execute(_running(number, after)).all(), _number
        case _:
            rows, place = connection.execute(_by_root(number, state, after)).all(), _root
    return page(rows, lambda row: state in (None, state_in(row)), place, line_of)


def _by_root(derivation: int, state: State | None, after: str | None) -> Select[Any]:
    c = caches.c
    query = select(c.id).where(c.derivation == derivation).order_by(c.root).limit(MAX_ROWS_READ + 1)
    if state == "failed":
        query = query.where(c.error.is_not(None))
    return _joined(query if after is None else query.where(c.root > after)).order_by(c.root)


def _running(derivation: int, after: str | None) -> Select[Any]:
    d = dues.c
    query = select(d.cache.label("id")).where(d.derivation == derivation, d.claim.is_not(None)).order_by(d.cache)
    query = query if after is None else query.where(d.cache > _read(int, after))
    return _joined(query.limit(MAX_ROWS_READ + 1)).order_by(d.cache)


def _by_moment(derivation: int, after: str | None) -> Select[Any]:
    """Select the queue in its order. Rows of the backfill stand apart in the index."""
    parts = [_due(derivation, is_backfill, after).subquery() for is_backfill in (False, True)]
    both = select(parts[0]).union_all(select(parts[1])).subquery()
    first = select(both.c.id).order_by(both.c.due, both.c.id).limit(MAX_ROWS_READ + 1)
    return _joined(first).order_by(dues.c.due, dues.c.cache)


def _due(derivation: int, is_backfill: bool, after: str | None) -> Select[Any]:
    d = dues.c
    query = select(d.cache.label("id"), d.due).where(
        d.derivation == derivation, d.claim.is_(None), d.backfill == is_backfill
    )
    if after is not None:
        moment, _, number = after.partition(SEPARATOR)
        place = literal(_read(datetime.fromisoformat, moment), UtcDateTime()), literal(_read(int, number))
        query = query.where(tuple_(d.due, d.cache) > tuple_(*place))
    return query.order_by(d.due, d.cache).limit(MAX_ROWS_READ + 1)


def _joined(ids: Select[Any]) -> Select[Any]:
    """Select the columns of picked caches. The limit comes first, so that no more are joined."""
    picked, d = ids.subquery(), dues.c
    selected = select(*STANDING).join(picked, picked.c.id == caches.c.id)
    return selected.outerjoin(dues, d.cache == caches.c.id)


def _root(row: Row[Any]) -> str:
    return str(row.root)


def _number(row: Row[Any]) -> str:
    return str(row.id)


def _moment(row: Row[Any]) -> str:
    return f"{row.due.isoformat()}{SEPARATOR}{row.id}"


def _read(kind: Callable[[str], Value], text: str) -> Value:
    try:
        return kind(text)
    except ValueError:
        raise BadRequest(f"No page of this list begins after {shown(text)}. Begin with the first one.") from None

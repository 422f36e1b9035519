"""The part of `Insight` about caches, with the objects of one cache, a page at a time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Connection, Row, Select, literal, select, tuple_

from afterwork.derived.compute.assembly import matcher_of
from afterwork.derived.explain.explainer import Explainer
from afterwork.derived.explain.explanation import STANDING, CacheLine, CacheState, Explanation, line_of, state_in
from afterwork.derived.explain.in_sets import SetExplainer
from afterwork.derived.explain.readers import Reader
from afterwork.errors import BadRequest, shown
from afterwork.insight import caches
from afterwork.insight.caches import CacheSummary
from afterwork.insight.dependencies import Dependencies, DependencyFinder
from afterwork.insight.member_names import MemberNames
from afterwork.insight.objects_in_sets import ObjectsInSets
from afterwork.insight.page import MAX_ROWS_READ, ListPage, page
from afterwork.insight.reading import InsightBase
from afterwork.model.external_id import class_of
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.caches import tables

MAX_IMPACT = 200
"""The most caches that `impact` returns."""


class CacheInsight(InsightBase):
    """Reads the states of caches, what they read, and who reads them."""

    def caches(self) -> Sequence[CacheSummary]:
        """Return each cache over all objects: counts by state, causes, and the progress of its backfill."""
        with self._reading() as connection:
            return caches.summaries(connection, self._model, self._clock.now())

    def cache(self, name: str) -> CacheSummary:
        """Return one cache over all objects, such as `Customer.total`. Raises `BadRequest` if there is none."""
        with self._reading() as connection:
            return caches.summary(connection, self._model, name, self._clock.now())

    def caches_of(self, name: str, state: CacheState | None = None, after: str | None = None) -> ListPage[CacheLine]:
        """Return a page of the objects of one cache, all or those in one state.

        `after` is the `next` of the previous page. Raises `BadRequest` for an unknown cache or a malformed `after`.
        """
        with self._reading() as connection:
            if state in (None, "fresh", "stale"):
                matcher = matcher_of(self._database, self._model, connection)
                derivation = next((derivation for derivation in matcher.registry if derivation.name == name), None)
                if derivation is not None and derivation.plan is not None:
                    objects = ObjectsInSets(SetExplainer(matcher), connection, derivation, derivation.plan)
                    return objects.page(state, after)
            return _objects_of(connection, name, state, after)

    def explain(self, root: str, cache: str) -> Explanation:
        """Explain one cache of one object: its state, its last run and its cause.

        Works for a deleted object, too: `("Customer!42", "total")`. Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            derivation = self._model.derivation_in(class_of(root, self._model.classes).class_, cache)
            return explainer.explain(connection, explainer.matcher.registry.of(derivation), root)

    def around(self, root: str, cache: str) -> Dependencies:
        """Return what one cache of one object has read, and who reads it.

        Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading() as connection:
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            derivation = self._model.derivation_in(class_of(root, self._model.classes).class_, cache)
            registered = explainer.matcher.registry.of(derivation)
            return DependencyFinder(explainer, MemberNames(self._model)).around(connection, registered, root)

    def impact(self, root: str, member: str) -> Sequence[Reader]:
        """Return the caches that become stale if a member of an object changes, and those that may follow.

        Returns at most `MAX_IMPACT`, the nearest first. Raises `BadRequest` and `MalformedExternalId`.
        """
        with self._reading_object(root) as (session, obj):
            connection = session.connection()
            explainer = Explainer(matcher_of(self._database, self._model, connection))
            return explainer.readers.impact(connection, obj, member, MAX_IMPACT)


Value = TypeVar("Value")

SEPARATOR = "~"
"""Separates the timestamp from the number of a cache in `after`."""


def _objects_of(connection: Connection, name: str, state: CacheState | None, after: str | None) -> ListPage[CacheLine]:
    """Return a page of the objects of a cache, all or those in one state.

    `after` is the `next` of the previous page. Those that are due come in the order in which they run, the others by
    object. Raises `BadRequest` for a malformed `after`.
    """
    number = connection.execute(select(tables.derivation.c.id).where(tables.derivation.c.name == name)).scalar()
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


def _by_root(derivation: int, state: CacheState | None, after: str | None) -> Select[Any]:
    c = tables.cache.c
    query = select(c.id).where(c.derivation == derivation).order_by(c.root).limit(MAX_ROWS_READ + 1)
    if state == "failed":
        query = query.where(c.error.is_not(None))
    return _joined(query if after is None else query.where(c.root > after)).order_by(c.root)


def _running(derivation: int, after: str | None) -> Select[Any]:
    d = tables.due.c
    query = select(d.cache.label("id")).where(d.derivation == derivation, d.claim.is_not(None)).order_by(d.cache)
    query = query if after is None else query.where(d.cache > _read(int, after))
    return _joined(query.limit(MAX_ROWS_READ + 1)).order_by(d.cache)


def _by_moment(derivation: int, after: str | None) -> Select[Any]:
    """Select the queue in its order. Rows of the backfill stand apart in the index."""
    parts = [_due(derivation, is_backfill, after).subquery() for is_backfill in (False, True)]
    both = select(parts[0]).union_all(select(parts[1])).subquery()
    first = select(both.c.id).order_by(both.c.due, both.c.id).limit(MAX_ROWS_READ + 1)
    return _joined(first).order_by(tables.due.c.due, tables.due.c.cache)


def _due(derivation: int, is_backfill: bool, after: str | None) -> Select[Any]:
    d = tables.due.c
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
    picked, d = ids.subquery(), tables.due.c
    selected = select(*STANDING).join(picked, picked.c.id == tables.cache.c.id)
    return selected.outerjoin(tables.due, d.cache == tables.cache.c.id)


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

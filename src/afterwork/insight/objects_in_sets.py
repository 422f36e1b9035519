"""The objects of a derived member that is refreshed in sets, a page at a time, with their present states."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select, tuple_

from afterwork.derived.explain.explanation import STANDING, CacheLine, CacheState, line_of
from afterwork.derived.explain.in_sets import SetExplainer
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadRequest, MalformedExternalId, shown
from afterwork.insight.page import MAX_ROWS_READ, PAGE_SIZE, ListPage, page
from afterwork.model.key import PrimaryKey
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.journal.refresh import RefreshPlan


@dataclass(frozen=True)
class ObjectsInSets:
    """The objects of a derivation with this plan."""

    explainer: SetExplainer
    connection: Connection
    derivation: RegisteredDerivation
    plan: RefreshPlan

    def page(self, state: CacheState | None, after: str | None) -> ListPage[CacheLine]:
        """Return a page of objects in the order of their keys, all or those in one state.

        `after` is the `next` of the previous page. Raises `BadRequest` for a malformed one.
        """
        key = self.plan.key
        where = [] if after is None else [tuple_(*key) > tuple_(*_key(self.derivation, after))]
        # A page of all needs no more rows than it shows, and one that tells whether there are others.
        limit = PAGE_SIZE if state is None else MAX_ROWS_READ
        rows = self.connection.execute(select(*key).where(*where).order_by(*key).limit(limit + 1))
        lines = list(self._lines([tuple(row) for row in rows]))
        return page(lines, lambda line: state in (None, line.state), lambda line: line.root_id, lambda line: line)

    def _lines(self, keys: Sequence[PrimaryKey]) -> Iterator[CacheLine]:
        """Yield the states of objects. Those that were set aside have caches of their own."""
        roots = {key: self.derivation.name_with(self.connection, key) for key in keys}
        aside = self._aside(list(roots.values()))
        rest = [key for key in keys if roots[key] not in aside]
        lines = self.explainer.lines(self.connection, self.derivation, self.plan, rest)
        for key in keys:
            line = aside.get(roots[key]) or lines.get(key)
            if line is not None:
                yield line

    def _aside(self, roots: Sequence[str]) -> Mapping[str, CacheLine]:
        c, d = caches.c, dues.c
        query = select(*STANDING).outerjoin(dues, d.cache == c.id).where(c.derivation == self.derivation.id)
        return {row.root: line_of(row) for row in self.connection.execute(query.where(c.root.in_(roots)))}


def _key(derivation: RegisteredDerivation, after: str) -> tuple[Any, ...]:
    try:
        return derivation.key_of(after)
    except MalformedExternalId:
        raise BadRequest(f"No page of this list begins after {shown(after)}. Begin with the first one.") from None

"""The objects of a derived member that is refreshed in sets, a page at a time, with their present states."""

from typing import Any

from sqlalchemy import Connection, Row, tuple_

from afterwork.derived.explain.explainer import CacheLine, State
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadRequest, MalformedExternalId, shown
from afterwork.insight.page import MAX_ROWS_READ, ListPage, page
from afterwork.model.external_id import root_id
from afterwork.store.dialects import refresh_of
from afterwork.store.journal.refresh import RefreshPlan


def objects_in_sets(
    connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, state: State | None, after: str | None
) -> ListPage[CacheLine]:
    """Return a page of objects in the order of their keys, all or those in one state.

    `after` is the `next` of the previous page. Raises `BadRequest` for a malformed one.
    """
    where = [] if after is None else [tuple_(*plan.key) > tuple_(*_key(derivation, after))]
    query = refresh_of(plan, connection.dialect.name).from_scratch(*where)
    key = [query.selected_columns[part.key] for part in plan.key]
    rows = connection.execute(query.order_by(*key).limit(MAX_ROWS_READ + 1)).all()
    mapper, width = derivation.declaration.root, len(plan.key)

    def root(row: Row[Any]) -> str:
        return root_id(mapper, tuple(row[:width]))

    def line(row: Row[Any]) -> CacheLine:
        return CacheLine(root(row), _state(row), 0, None, None, None, None, None, None)

    return page(rows, lambda row: state in (None, _state(row)), root, line)


def _state(row: Row[Any]) -> State:
    return "stale" if row.differs else "fresh"


def _key(derivation: RegisteredDerivation, after: str) -> tuple[Any, ...]:
    try:
        return derivation.key_of(after)
    except MalformedExternalId:
        raise BadRequest(f"No page of this list begins after {shown(after)}. Begin with the first one.") from None

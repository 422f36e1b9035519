"""The columns that a run writes through its session: others read them, and had better run after it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sqlalchemy import Column, FromClause, event, inspect
from sqlalchemy.orm import InstanceState, Session

from afterwork.store.journal.tracked_table import EVERY_COLUMN, TrackedTables


@contextmanager
def noting_writes(session: Session, tables: TrackedTables) -> Iterator[Mapping[int, int]]:
    """Note what is flushed within the block: the columns of each tracked table. Statements are left out."""
    written: dict[int, int] = defaultdict(int)

    def note(session: Session, _: object) -> None:
        for table, columns in _flushed(session):
            tracked = tables.of(table)
            if tracked is not None:
                written[tracked.id] |= EVERY_COLUMN if columns is None else tracked.mask(columns)

    event.listen(session, "after_flush", note)
    try:
        yield written
    finally:
        event.remove(session, "after_flush", note)


def _flushed(session: Session) -> Iterator[tuple[FromClause, list[str] | None]]:
    """Yield the tables of objects that were just flushed, with the columns that were changed; None for all of them."""
    for obj in (*session.new, *session.deleted):
        state: InstanceState[object] = inspect(obj)
        yield from ((table, None) for table in state.mapper.tables)
    for obj in session.dirty:
        yield from _changed(inspect(obj))


def _changed(state: InstanceState[object]) -> Iterator[tuple[FromClause, list[str] | None]]:
    for attribute in state.mapper.column_attrs:
        if state.attrs[attribute.key].history.has_changes():
            yield from ((column.table, [column.name]) for column in attribute.columns if isinstance(column, Column))
    for relationship in state.mapper.relationships:
        if relationship.secondary is not None and state.attrs[relationship.key].history.has_changes():
            yield relationship.secondary, None

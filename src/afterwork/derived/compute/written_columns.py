"""The columns that a run writes through its session: others read them, and had better run after it."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, FromClause, Update, event
from sqlalchemy.orm import Session
from sqlalchemy.sql import visitors
from sqlalchemy.sql.expression import UpdateBase

from afterwork.compat.sqlalchemy_statements import set_columns, unwrapped, written_table
from afterwork.store.direct_statement import own
from afterwork.store.journal.tracked_table import EVERY_COLUMN, TrackedTables


@contextmanager
def noting_writes(session: Session, tables: TrackedTables) -> Iterator[Mapping[int, int]]:
    """Note what is written within the block, by flushes and by statements: the columns of each tracked table."""
    written: dict[int, int] = defaultdict(int)
    connection = session.connection()

    @own
    def note(_: Connection, statement: Any, rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any], __: Any) -> None:
        for element in visitors.iterate(unwrapped(statement)):
            if isinstance(element, UpdateBase):
                table = written_table(element)
                tracked = tables.of(table)
                if tracked is not None:
                    columns = _columns(element, table, (row, *rows))
                    written[tracked.id] |= EVERY_COLUMN if columns is None else tracked.mask(columns)

    event.listen(connection, "before_execute", note)
    try:
        yield written
    finally:
        event.remove(connection, "before_execute", note)


def _columns(statement: UpdateBase, table: FromClause, parameters: Sequence[Mapping[str, Any]]) -> set[str] | None:
    """Return the names of the columns that a statement changes. None stands for all of them: rows come or go."""
    if not isinstance(statement, Update):
        return None
    keys = {getattr(column, "key", column) for column in set_columns(statement)}
    if not keys <= {*table.columns.keys()}:
        return None
    keys |= {key for row in parameters for key in row}
    return {column.name for key, column in table.columns.items() if key in keys or column.onupdate is not None}

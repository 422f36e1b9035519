"""Classes whose objects consist of a single row, and are loaded as rows.

SQLAlchemy takes longer than all else to build an object of each row, only to be asked for its values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, Time
from sqlalchemy.orm import ClassManager, ColumnProperty, Mapper, Session

from afterwork.compat.sqlalchemy_objects import is_loaded_as_usual
from afterwork.store.direct_statement import is_own

RowValues = dict[str, Any]

LAZY_LOADERS = ("select", True, "dynamic", "write_only")
"""Values of `lazy` with which a relationship is not loaded together with its object."""


@dataclass(frozen=True, eq=False)
class SingleRowClass:
    """A class whose members `names` are `columns` of a table. `key` has the positions of the primary key in them."""

    manager: ClassManager[Any]
    table: Table
    columns: Sequence[Column[Any]]
    names: Sequence[str]
    key: Sequence[int]

    def read(self, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[tuple[Any, ...], RowValues]]:
        """Yield the primary key and the values of the object that each row is.

        Raises `ValueError` for a row without a key, which SQLAlchemy treats in a way of its own.
        """
        names, key = self.names, self.key
        for row in rows:
            identity = tuple([row[position] for position in key])
            if None in identity:
                raise ValueError(f"a row of {self.table.fullname} has no key")
            yield identity, dict(zip(names, row, strict=True))


def single_row_class(mapper: Mapper[Any]) -> SingleRowClass | None:
    """Return how a class's objects are read from rows; None if they consist of more than a row."""
    table = mapper.local_table
    has_no_relatives = mapper.polymorphic_on is None and list(mapper.self_and_descendants) == [mapper.base_mapper]
    is_lazy = all(prop.lazy in LAZY_LOADERS for prop in mapper.relationships)
    if not has_no_relatives or not isinstance(table, Table) or not is_lazy:
        return None
    if not has_distinct_keys(mapper):
        return None
    members = {_column(prop, table): prop.key for prop in mapper.column_attrs}
    columns = [column for column in members if column is not None]
    if len(columns) < len(mapper.column_attrs) or not set(mapper.primary_key) <= set(columns):
        return None
    positions: dict[Any, int] = {column: position for position, column in enumerate(columns)}
    names = [members[column] for column in columns]
    key = [positions[column] for column in mapper.primary_key]
    return SingleRowClass(mapper.class_manager, table, columns, names, key)


def has_distinct_keys(mapper: Mapper[Any]) -> bool:
    """Return whether two keys of a class are also two in Python, where 10:00+00 and 12:00+02 are equal."""
    types = [getattr(column.type, "impl_instance", column.type) for column in mapper.primary_key]
    return not any(isinstance(type_, Time) and type_.timezone for type_ in types)


def has_only_own_listeners(session: Session) -> bool:
    """Return whether none but Afterwork listens to a session's statements, and may change them."""
    return all(map(is_own, session.dispatch.do_orm_execute))


def _column(prop: ColumnProperty[Any], table: Table) -> Column[Any] | None:
    """Return the column of the table that a member is; None if it is anything else."""
    column = prop.columns[0]
    is_column = len(prop.columns) == 1 and is_loaded_as_usual(prop) and column.table is table
    return column if is_column and isinstance(column, Column) else None

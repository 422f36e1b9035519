"""Classes whose objects are a row of one table and no more. Many of them are loaded as rows: that SQLAlchemy makes an
object of each, only to be asked for its values, takes longer than all else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Table, Time
from sqlalchemy.orm import ClassManager, ColumnProperty, Mapper, RelationshipProperty, Session

from afterwork.store.direct import is_own

Values = dict[str, Any]

AS_IT_COMES = (("deferred", False), ("instrument", True))
"""How SQLAlchemy loads a member with a value, unless something else is said."""

WHEN_READ = ("select", True, "dynamic", "write_only")
"""Ends of these kinds are not loaded together with the object."""


@dataclass(frozen=True, eq=False)
class SingleRowClass:
    """The `columns` of a class are its members with these `names`; `key` says where in them the primary key is."""

    manager: ClassManager[Any]
    table: Table
    columns: Sequence[Column[Any]]
    names: Sequence[str]
    key: Sequence[int]

    def read(self, rows: Sequence[Sequence[Any]]) -> Iterator[tuple[tuple[Any, ...], Values]]:
        """Yield the primary key and the values of the object that each row is. Raises `ValueError` for a row without a
        key, which SQLAlchemy has an opinion of its own about."""
        names, key = self.names, self.key
        for row in rows:
            identity = tuple([row[place] for place in key])
            if None in identity:
                raise ValueError(f"a row of {self.table.fullname} has no key")
            yield identity, dict(zip(names, row, strict=True))


def single_row_class(mapper: Mapper[Any]) -> SingleRowClass | None:
    """Return how objects of a class are read of rows; None if they are more than a row."""
    table = mapper.local_table
    is_one_of_a_kind = mapper.polymorphic_on is None and list(mapper.self_and_descendants) == [mapper.base_mapper]
    if not is_one_of_a_kind or not isinstance(table, Table) or not all(map(_loads_nothing, mapper.relationships)):
        return None
    if not has_distinct_keys(mapper):
        return None
    members = {_column(prop, table): prop.key for prop in mapper.column_attrs}
    columns = [column for column in members if column is not None]
    if len(columns) < len(mapper.column_attrs) or not set(mapper.primary_key) <= set(columns):
        return None
    places: dict[Any, int] = {column: place for place, column in enumerate(columns)}
    names = [members[column] for column in columns]
    return SingleRowClass(
        mapper.class_manager, table, columns, names, [places[column] for column in mapper.primary_key]
    )


def has_distinct_keys(mapper: Mapper[Any]) -> bool:
    """Return whether two keys of a class are two in Python, too. 10:00+00 and 12:00+02 are one there."""
    kinds = [getattr(column.type, "impl_instance", column.type) for column in mapper.primary_key]
    return not any(isinstance(kind, Time) and kind.timezone for kind in kinds)


def has_only_own_listeners(session: Session) -> bool:
    """Return whether nobody else listens to what a session asks for, and may change it."""
    return all(map(is_own, session.dispatch.do_orm_execute))


def _loads_nothing(prop: RelationshipProperty[Any]) -> bool:
    return prop.lazy in WHEN_READ


def _column(prop: ColumnProperty[Any], table: Table) -> Column[Any] | None:
    """Return the column of the table that a member is; None if it is anything else."""
    column = prop.columns[0]
    is_plain = len(prop.columns) == 1 and prop.strategy_key == AS_IT_COMES and column.table is table
    return column if is_plain and isinstance(column, Column) else None

"""Routes: the ways back from a changed row to the roots whose values it may change.

A row takes part in the value of a root only if all conditions hold that the expression makes around it. Some of them
demand that two columns are equal; along these, a route goes from table ref to table ref until it reaches the root. It
applies conditions whose table refs all lie on it, so it may find too much, but never too little. The argument is in
docs/decisions/0050-inversion.md.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, select
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import ColumnClause

from afterwork.derived.inversion.conditions import RouteConditions
from afterwork.derived.tracking.query.flat_query import (
    ColumnSource,
    Condition,
    FlatQuery,
    SubqueryPath,
    TableRef,
    column_of,
)
from afterwork.store.journal.refresh import TouchColumns
from afterwork.store.journal.tables import MAX_TOUCH_COLUMNS
from afterwork.store.journal.touch_values import ComparedColumn, TouchValues
from afterwork.store.journal.tracked_table import TrackedTable


class CannotInvert(Exception):
    """Raised for an expression that has no way back to its roots; its text says why."""


@dataclass(frozen=True, eq=False)
class Route:
    """The way back from the rows of one table ref. `columns` are those of a row that the way goes by, `counting` those
    whose change may change a value. `is_own` tells the route of a root's own row."""

    row: TableRef
    root: TableRef
    columns: tuple[str, ...]
    counting: frozenset[str]
    table_refs: tuple[TableRef, ...]
    conditions: tuple[ColumnElement[bool], ...]
    touch_values: TouchValues
    is_own: bool = False

    @property
    def table(self) -> TrackedTable:
        """The table whose changes take this way."""
        return self.row.table

    def roots(self, touches: TouchColumns) -> Select[Any]:
        """Return the query for the keys of the roots that touches lead to. A touch has the values of `columns` as v1,
        v2 and so on."""
        key = [column_of(self.root, column.name) for column in self.root.table.key]
        values = {
            name: self.touch_values.read(touches[f"v{place}"], ComparedColumn(self.table, name))
            for place, name in enumerate(self.columns, 1)
        }
        conditions = [_replaced(condition, self.row.alias, values) for condition in self.conditions]
        return select(*key).select_from(*(ref.alias for ref in self.table_refs)).where(*conditions)


@dataclass(frozen=True)
class RouteFinder:
    """Finds the routes of an expression, which was flattened with `root` as the table ref of its objects."""

    flat: FlatQuery
    root: TableRef
    touch_values: TouchValues

    def routes(self) -> Iterator[Route]:
        """Yield the route of each table ref. Raises `CannotInvert`."""
        for table_ref in self.flat.table_refs:
            yield self._own_route if table_ref is self.root else self._route(table_ref)

    @cached_property
    def _own_route(self) -> Route:
        key = tuple(column.name for column in self.root.table.key)
        counting = frozenset(self.root.deciding | self.root.valued | set(key))
        row = TableRef(self.root.table, self.root.subquery_path, self.root.table.table.alias())
        same = tuple(column_of(self.root, name) == column_of(row, name) for name in key)
        if len(key) > MAX_TOUCH_COLUMNS or not all(self._can_hold(row, name) for name in key):
            raise CannotInvert(f"the key of {self.root.table.table.fullname} can't be kept in a touch")
        return Route(row, self.root, key, counting, (self.root,), same, self.touch_values, is_own=True)

    def _route(self, table_ref: TableRef) -> Route:
        usable = [condition for condition in self.flat.conditions if _holds_around(condition, table_ref)]
        path = self._path(table_ref, usable)
        if path is None:
            raise CannotInvert(
                f"no equality leads from {table_ref.table.table.fullname} back to {self.root.table.table.fullname}"
            )
        clauses = list(self._applied(table_ref, path, usable))
        # Those that link come first: they tell most rows apart, and touches are looked up by the first.
        columns = tuple(dict.fromkeys(name for clause in clauses for name in _columns_of(clause, table_ref.alias)))
        counting = frozenset(table_ref.deciding | table_ref.valued)
        return Route(table_ref, self.root, columns, counting, path, tuple(clauses), self.touch_values)

    def _applied(
        self, table_ref: TableRef, path: Sequence[TableRef], usable: Sequence[Condition]
    ) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions that the route applies, as far as a touch has room for their values: links first."""
        conditions = RouteConditions(table_ref, self._tables, self.touch_values)
        on_route, columns = {table_ref, *path}, set[str]()
        for condition in sorted(usable, key=lambda condition: not _links(condition, on_route)):
            if condition.clause is None or not condition.table_refs <= on_route:
                continue
            applied = conditions.applied(condition.clause)
            needed = columns if applied is None else columns | set(_columns_of(applied, table_ref.alias))
            if applied is not None and len(needed) <= MAX_TOUCH_COLUMNS:
                columns = needed
                yield applied

    def _path(self, start: TableRef, usable: Sequence[Condition]) -> tuple[TableRef, ...] | None:
        """Return the table refs on the shortest way along equalities to the root; None without any."""
        before: dict[TableRef, TableRef | None] = {start: None}
        todo = deque([start])
        while todo:
            here = todo.popleft()
            if here is self.root:
                return tuple(_back(here, before))
            for following in self._linked(here, usable, start):
                if following not in before:
                    before[following] = here
                    todo.append(following)
        return None

    def _linked(self, here: TableRef, usable: Sequence[Condition], start: TableRef) -> Iterator[TableRef]:
        """Yield the table refs that a condition links with this one by an equality that the route can apply."""
        conditions = RouteConditions(start, self._tables, self.touch_values)
        for condition in usable:
            if condition.clause is None or conditions.applied(condition.clause) is None:
                continue
            for equality in condition.equalities:
                if equality.table_ref is here and isinstance(equality.source, ColumnSource):
                    yield equality.source.table_ref

    @cached_property
    def _tables(self) -> Mapping[FromClause, TrackedTable]:
        return {table_ref.alias: table_ref.table for table_ref in self.flat.table_refs}

    def _can_hold(self, table_ref: TableRef, name: str) -> bool:
        return self.touch_values.can_hold(ComparedColumn(table_ref.table, name))


def _back(last: TableRef, before: Mapping[TableRef, TableRef | None]) -> list[TableRef]:
    path: list[TableRef] = []
    while (previous := before[last]) is not None:
        path.append(last)
        last = previous
    return path[::-1]


def _links(condition: Condition, table_refs: set[TableRef]) -> bool:
    """Return whether a condition is an equality between columns of two of these."""
    return any(
        isinstance(equality.source, ColumnSource) and {equality.table_ref, equality.source.table_ref} <= table_refs
        for equality in condition.equalities
    )


def _holds_around(condition: Condition, table_ref: TableRef) -> bool:
    """Return whether a condition must be true wherever a row of a table ref takes part."""
    return _is_within(condition.subquery_path, table_ref.subquery_path) and all(
        _is_within(ref.subquery_path, condition.subquery_path) for ref in condition.table_refs
    )


def _is_within(outer: SubqueryPath, inner: SubqueryPath) -> bool:
    return inner[: len(outer)] == outer


def _columns_of(clause: ColumnElement[Any], alias: FromClause) -> Iterator[str]:
    for element in visitors.iterate(clause):
        if isinstance(element, ColumnClause) and element.table is alias:
            yield element.name


def _replaced(
    clause: ColumnElement[bool], alias: FromClause, values: Mapping[str, ColumnElement[Any]]
) -> ColumnElement[bool]:
    def replace(element: Any, **options: Any) -> Any:
        if isinstance(element, ColumnClause) and element.table is alias:
            return values[element.name]
        return None

    return visitors.replacement_traverse(clause, {}, replace)

"""Flattening a statement into table refs and conditions."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

from sqlalchemy import Alias, BindParameter, ColumnElement, Dialect, FromClause, Select, Table
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import (
    AliasedReturnsRows,
    Exists,
    FromGrouping,
    Join,
    Lateral,
    SelectBase,
    TableClause,
    TableValuedAlias,
    Values,
)

from afterwork.compat.sqlalchemy_options import options_of
from afterwork.compat.sqlalchemy_statements import (
    LabelReference,
    all_selected,
    ordering_and_grouping,
    selected_behind,
    tables_within,
    unread_ctes,
    where_conditions,
)
from afterwork.derived.tracking.loader_criteria import Criteria, applying_to, criteria_in
from afterwork.derived.tracking.query.clauses import (
    aliased_element,
    conjuncts,
    is_plain,
    refuse_writing,
    selects_of,
    semi_join_in,
    table_of,
    without_labels,
)
from afterwork.derived.tracking.query.equalities import ConditionReader, linked_columns, single_column
from afterwork.derived.tracking.query.flat_query import (
    CannotFlatten,
    Condition,
    FlatQuery,
    SubqueryPath,
    TableRef,
    column_of,
)
from afterwork.derived.tracking.query.forbidden import refuse
from afterwork.derived.tracking.query.select_scope import (
    FromOrigin,
    FromSubquery,
    SelectPosition,
    SelectScope,
    entities_by_key,
)
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.tables import metadata as own_tables

PendingConditions = list[tuple[SubqueryPath, Any]]
"""ON clauses that are read once all members of FROM are known, each with its path."""


def flatten(
    statement: Any,
    tables: TrackedTables,
    dialect: Dialect,
    *,
    entities: bool = True,
    parameters: Iterable[BindParameter[Any]] = (),
) -> FlatQuery:
    """Return the table refs and conditions of a statement.

    With `entities`, classes that it selects are read as objects. `parameters` are those of the statement: the result
    refers to them, not to copies. Raises `CantTrack` for what can't be tracked, `CannotFlatten` for what is too
    complicated.
    """
    criteria = criteria_in(options_of(statement))
    flattening = _Flattening(tables, dialect, parameters, criteria)
    if entities and isinstance(statement, Select):
        statement, discriminators = entities_by_key(statement)
        flattening.add_select(statement, SelectPosition())
        for table_ref in flattening.flat.table_refs:
            table_ref.deciding |= {name for table, name in discriminators if table is table_ref.table.table}
    else:
        flattening.add_subquery(statement, SelectPosition())
    return flattening.flat


class _Flattening:
    def __init__(
        self, tables: TrackedTables, dialect: Dialect, parameters: Iterable[BindParameter[Any]], criteria: Criteria
    ) -> None:
        self.flat = FlatQuery()
        self._conditions = ConditionReader(frozenset(parameters))
        self._tables = tables
        self._dialect = dialect
        self._criteria = criteria
        self._numbers = count(1)
        self._seen: set[tuple[int, int]] = set()
        self._alive: list[object] = []  # so that no id in `_seen` is used again

    # Selects and their FROM.

    def add_select(self, statement: Any, position: SelectPosition, *, values: bool = True) -> SelectScope:
        """Add the parts of a select. With `values`, the columns that it returns count as read."""
        refuse(statement)
        if not isinstance(statement, Select):
            raise CannotFlatten(type(statement).__name__)
        for cte in unread_ctes(statement):
            refuse_writing(cte.element)
        around, path = position.around, position.path
        criteria = applying_to(self._criteria if around is None else around.criteria, statement)
        resolved, members = position.resolve(statement, criteria, self._dialect)
        scope = SelectScope(path, around, criteria=criteria)
        scope.tables = {table for member in members for table in tables_within(member)}
        scope.all_tables = scope.tables | (around.all_tables if around is not None else set())
        self._add_conditions(scope, members, where_conditions(resolved))
        for clause in ordering_and_grouping(resolved):
            is_label = isinstance(clause, LabelReference)
            self._use(scope, path, all_selected(resolved) if is_label else [clause], deciding=True)
        if values:
            self._use(scope, path, all_selected(resolved), deciding=False)
        return scope

    def _add_conditions(self, scope: SelectScope, members: Iterable[FromClause], where: Iterable[Any]) -> None:
        pending: PendingConditions = []
        for member in members:
            self._add_member(scope, member, scope.subquery_path, pending)
        pending += [(scope.subquery_path, clause) for clause in where]
        for path, clause in pending:
            for condition in conjuncts(clause):
                self._add_condition(scope, path, condition)

    def add_subquery(self, statement: Any, position: SelectPosition, *, values: bool = True) -> None:
        """Add a statement that can't take rows away around it."""
        for select in selects_of(statement):
            key = id(select), id(position.around)
            if key not in self._seen:
                self._seen.add(key)
                self._alive.append(select)
                self.add_select(select, replace(position, path=self._inside(position.path)), values=values)

    def _inside(self, path: SubqueryPath) -> SubqueryPath:
        return (*path, next(self._numbers))

    def _add_member(
        self, scope: SelectScope, member: Any, path: SubqueryPath, pending: PendingConditions, lateral: bool = False
    ) -> None:
        """Add a member of FROM."""
        refuse(member)
        match member:
            case Join():
                if member.full:
                    raise CannotFlatten("FULL JOIN")
                right = self._inside(path) if member.isouter else path
                self._add_member(scope, member.left, path, pending)
                self._add_member(scope, member.right, right, pending)
                pending.append((right, member.onclause))
            case FromGrouping():
                self._add_member(scope, member.element, path, pending)
            case Table():
                scope.origins[member] = self._add_table_ref(member, path)
            case Alias() if isinstance(member.element, Table):
                scope.origins[member] = self._add_table_ref(member.element, path)
            case TableClause():
                raise NotWatched("with a statement", str(member))
            case TableValuedAlias() | Values():
                scope.origins[member] = None
                self._use(scope, path, member.get_children(), deciding=True)
            case AliasedReturnsRows():
                position = SelectPosition(path, scope, in_from=True, lateral=lateral or isinstance(member, Lateral))
                scope.origins[member] = self._add_from_subquery(scope, member, position)
            case _:
                raise CannotFlatten(type(member).__name__)

    def _add_table_ref(self, table: Table, path: SubqueryPath) -> FromOrigin:
        tracked = self._tables.of(table)
        if tracked is None:
            if table.metadata is own_tables:
                return None
            raise NotWatched("with a statement", table.fullname)
        table_ref = TableRef(tracked, path, tracked.table.alias())
        self.flat.table_refs.append(table_ref)
        return table_ref

    def _add_from_subquery(
        self, scope: SelectScope, member: AliasedReturnsRows, position: SelectPosition
    ) -> FromSubquery:
        element = aliased_element(member)
        if isinstance(element, FromClause) and not isinstance(element, SelectBase):
            return self._add_aliased_table(scope, element, position)
        selects = selects_of(element)
        if len(selects) > 1:
            for select in selects:
                self.add_select(select, replace(position, path=self._inside(position.path)))
            return FromSubquery(None, is_plain=False)
        (select,) = selects
        plain = is_plain(select)
        path = position.path if plain else self._inside(position.path)
        inner = self.add_select(select, replace(position, path=path), values=not plain)
        return FromSubquery(inner, plain)

    def _add_aliased_table(self, scope: SelectScope, element: FromClause, position: SelectPosition) -> FromSubquery:
        pending: PendingConditions = []
        inner = SelectScope(
            position.path, scope, tables=scope.tables, all_tables=scope.all_tables, criteria=scope.criteria
        )
        self._add_member(inner, element, position.path, pending, position.lateral)
        if pending:
            raise CannotFlatten("an alias of a join")
        return FromSubquery(inner, is_plain=True)

    # Expressions.

    def _use(self, scope: SelectScope, path: SubqueryPath, expressions: Iterable[Any], *, deciding: bool) -> None:
        for expression in expressions:
            for table_ref, name in self._columns(scope, path, expression):
                # The values that a subquery has from around it may decide there.
                is_outer = table_ref.subquery_path[: len(scope.subquery_path)] != scope.subquery_path
                (table_ref.deciding if deciding or is_outer else table_ref.valued).add(name)

    def _columns(self, scope: SelectScope, path: SubqueryPath, expression: Any) -> Iterator[tuple[TableRef, str]]:
        """Yield the columns that an expression reads. Subqueries in it are added as they are met."""
        todo = [expression]
        position = SelectPosition(path, scope)
        while todo:
            element = todo.pop()
            refuse(element)
            match element:
                case SelectBase():
                    self.add_subquery(element, position)
                case Exists():
                    self.add_subquery(element.element, position, values=False)
                case ColumnClause() if element.table is not None:
                    yield from self._columns_behind(scope, path, element)
                case FromClause() if not isinstance(element, ColumnElement):
                    for column in element.c:
                        yield from self._columns(scope, path, column)
                case LabelReference():
                    raise CannotFlatten("a column by its label")
                case _:
                    todo += element.get_children()

    def _columns_behind(
        self, scope: SelectScope, path: SubqueryPath, column: ColumnClause[Any]
    ) -> Iterator[tuple[TableRef, str]]:
        origin = scope.origin(table_of(column))
        if isinstance(origin, TableRef):
            yield origin, column.name
        elif isinstance(origin, FromSubquery) and origin.scope is not None and origin.is_plain:
            for selected in selected_behind(column):
                yield from self._columns(origin.scope, path, selected)
        elif (single := single_column(scope, column)) is not None:
            yield single

    # Conditions.

    def _add_condition(self, scope: SelectScope, path: SubqueryPath, condition: Any) -> None:
        if self._add_semi_join(scope, path, condition):
            return
        columns = set(self._columns(scope, path, condition))
        for table_ref, name in columns:
            table_ref.deciding.add(name)
        table_refs = frozenset(table_ref for table_ref, _ in columns)
        clause = self._conditions.translated(scope, condition)
        equalities = tuple(self._conditions.equalities(scope, condition))
        self.flat.conditions.append(Condition(path, clause, table_refs, equalities))

    def _add_semi_join(self, scope: SelectScope, path: SubqueryPath, condition: Any) -> bool:
        """Add a condition with EXISTS or IN as a join, since only the rows that take part matter.

        Returns whether the condition is one.
        """
        semi_join = semi_join_in(condition)
        if semi_join is None:
            return False
        left, column = semi_join.left, semi_join.column
        inner = self.add_select(semi_join.select, SelectPosition(path, scope), values=left is not None)
        if left is None:
            return True
        self._use(scope, path, [left], deciding=True)
        self._use(inner, path, [column], deciding=True)
        outer_end, inner_end = single_column(scope, left), single_column(inner, without_labels(column))
        if outer_end is not None and inner_end is not None:
            clause = column_of(*outer_end) == column_of(*inner_end)
            table_refs = frozenset({outer_end[0], inner_end[0]})
            equalities = tuple(linked_columns(outer_end, inner_end))
            self.flat.conditions.append(Condition(path, clause, table_refs, equalities))
        else:
            columns = {*self._columns(scope, path, left), *self._columns(inner, path, column)}
            self.flat.conditions.append(Condition(path, None, frozenset(table_ref for table_ref, _ in columns)))
        return True

"""Taking a statement apart."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from sqlalchemy import Alias, BindParameter, ColumnElement, Dialect, FromClause, Select, Table
from sqlalchemy.sql import operators
from sqlalchemy.sql.elements import (
    BinaryExpression,
    ColumnClause,
    Grouping,
    _textual_label_reference,
)
from sqlalchemy.sql.selectable import (
    CTE,
    AliasedReturnsRows,
    Exists,
    FromGrouping,
    Join,
    Lateral,
    ScalarSelect,
    SelectBase,
    TableClause,
    TableValuedAlias,
    Values,
)

from afterwork.derived.tracking.loader_criteria import Criteria, criteria_in, within
from afterwork.derived.tracking.query.clauses import (
    conjuncts,
    deciding,
    is_plain,
    refuse_writing,
    selected,
    table,
    unlabelled,
)
from afterwork.derived.tracking.query.equalities import ConditionReader, links, single
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
    Inner,
    Origin,
    SelectScope,
    entities_by_key,
    resolved,
    selects_of,
)
from afterwork.errors import NotWatched
from afterwork.store.journal.tracked_table import TrackedTables
from afterwork.store.tables import metadata as own_tables


def flatten(
    statement: Any,
    watches: TrackedTables,
    dialect: Dialect,
    *,
    entities: bool = True,
    parameters: Iterable[BindParameter[Any]] = (),
) -> FlatQuery:
    """The parts of a statement. With `entities`, classes that it selects are read as objects. `parameters` are those of
    the statement: the parts refer to them, not to copies.

    Raises `CantTrack` for what can't be tracked, `Unclear` for what can't be taken apart.
    """
    criteria = criteria_in(getattr(statement, "_with_options", ()))
    work = _Flattening(watches, dialect, parameters, criteria)
    if entities and isinstance(statement, Select):
        statement, kinds = entities_by_key(statement)
        work.select(statement, None, ())
        for place in work.parts.table_refs:
            place.deciding |= {name for table, name in kinds if table is place.table.table}
    else:
        work.subquery(None, (), statement)
    return work.parts


class _Flattening:
    def __init__(
        self, watches: TrackedTables, dialect: Dialect, parameters: Iterable[BindParameter[Any]], criteria: Criteria
    ) -> None:
        self.parts = FlatQuery()
        self._meaning = ConditionReader(frozenset(parameters))
        self._watches = watches
        self._dialect = dialect
        self._criteria = criteria
        self._numbers = count(1)
        self._seen: set[tuple[int, int]] = set()
        self._kept: list[object] = []  # so that no id is given twice

    # Selects and their FROM.

    def select(
        self,
        statement: Any,
        around: SelectScope | None,
        nest: SubqueryPath,
        *,
        values: bool = True,
        in_from: bool = False,
        lateral: bool = False,
    ) -> SelectScope:
        """Add the parts of a select. `values`: what it selects counts."""
        refuse(statement)
        if not isinstance(statement, Select):
            raise CannotFlatten(type(statement).__name__)
        for cte in statement._independent_ctes:
            refuse_writing(cte.element)
        criteria = within(self._criteria if around is None else around.criteria, statement)
        core, froms = resolved(statement, around, criteria, self._dialect, in_from=in_from, lateral=lateral)
        scope = SelectScope(nest, around, criteria=criteria)
        scope.own = {member for found in froms for member in found._from_objects}
        scope.all = scope.own | (around.all if around is not None else set())
        pending: list[tuple[SubqueryPath, Any]] = []
        for found in froms:
            self._add(scope, found, nest, pending)
        pending += [(nest, clause) for clause in core._where_criteria]
        for inside, clause in pending:
            for condition in conjuncts(clause):
                self._condition(scope, inside, condition)
        for clause in deciding(core):
            if isinstance(clause, _textual_label_reference):
                self._use(scope, nest, core._all_selected_columns, deciding=True)
            else:
                self._use(scope, nest, [clause], deciding=True)
        if values:
            self._use(scope, nest, core._all_selected_columns, deciding=False)
        return scope

    def subquery(self, around: SelectScope | None, nest: SubqueryPath, statement: Any, *, values: bool = True) -> None:
        """Add what can't take rows away around it."""
        for one in selects_of(statement):
            key = id(one), id(around)
            if key not in self._seen:
                self._seen.add(key)
                self._kept.append(one)
                self.select(one, around, self._inside(nest), values=values)

    def _inside(self, nest: SubqueryPath) -> SubqueryPath:
        return (*nest, next(self._numbers))

    def _add(
        self,
        scope: SelectScope,
        member: Any,
        nest: SubqueryPath,
        pending: list[tuple[SubqueryPath, Any]],
        *,
        lateral: bool = False,
    ) -> None:
        """Add a member of FROM."""
        refuse(member)
        match member:
            case Join():
                if member.full:
                    raise CannotFlatten("FULL JOIN")
                right = self._inside(nest) if member.isouter else nest
                self._add(scope, member.left, nest, pending)
                self._add(scope, member.right, right, pending)
                pending.append((right, member.onclause))
            case FromGrouping():
                self._add(scope, member.element, nest, pending)
            case Table():
                scope.origins[member] = self._place(member, nest)
            case Alias() if isinstance(member.element, Table):
                scope.origins[member] = self._place(member.element, nest)
            case TableClause():
                raise NotWatched("with a statement", str(member))
            case TableValuedAlias() | Values():
                scope.origins[member] = None
                self._use(scope, nest, member.get_children(), deciding=True)
            case AliasedReturnsRows():
                scope.origins[member] = self._inner(scope, member, nest, lateral or isinstance(member, Lateral))
            case _:
                raise CannotFlatten(type(member).__name__)

    def _place(self, table: Table, nest: SubqueryPath) -> Origin:
        watch = self._watches.of(table)
        if watch is None:
            if table.metadata is own_tables:
                return None
            raise NotWatched("with a statement", table.fullname)
        place = TableRef(watch, nest, watch.table.alias())
        self.parts.table_refs.append(place)
        return place

    def _inner(self, scope: SelectScope, member: AliasedReturnsRows, nest: SubqueryPath, lateral: bool) -> Inner:
        element: Any = member.element
        if isinstance(member, CTE):
            if member.recursive:
                raise CannotFlatten("WITH RECURSIVE")
            refuse_writing(element)
            element = member._cte_alias if member._cte_alias is not None else element
        if isinstance(element, FromClause) and not isinstance(element, SelectBase):
            pending: list[tuple[SubqueryPath, Any]] = []
            inside = SelectScope(nest, scope, own=scope.own, all=scope.all, criteria=scope.criteria)
            self._add(inside, element, nest, pending, lateral=lateral)
            if pending:
                raise CannotFlatten("an alias of a join")
            return Inner(inside, is_plain=True)
        selects = selects_of(element)
        if len(selects) > 1:
            for one in selects:
                self.select(one, scope, self._inside(nest), in_from=True, lateral=lateral)
            return Inner(None, is_plain=False)
        (one,) = selects
        plain = is_plain(one)
        where = nest if plain else self._inside(nest)
        return Inner(self.select(one, scope, where, values=not plain, in_from=True, lateral=lateral), plain)

    # Expressions.

    def _use(self, scope: SelectScope, nest: SubqueryPath, expressions: Iterable[Any], *, deciding: bool) -> None:
        for expression in expressions:
            for place, name in self._columns(scope, nest, expression):
                # What a subquery has from around it may decide there.
                around = place.subquery_path[: len(scope.subquery_path)] != scope.subquery_path
                (place.deciding if deciding or around else place.valued).add(name)

    def _columns(self, scope: SelectScope, nest: SubqueryPath, expression: Any) -> Iterator[tuple[TableRef, str]]:
        """The columns that an expression reads. Subqueries in it are added as they are met."""
        todo = [expression]
        while todo:
            element = todo.pop()
            refuse(element)
            match element:
                case SelectBase():
                    self.subquery(scope, nest, element)
                case Exists():
                    self.subquery(scope, nest, element.element, values=False)
                case ColumnClause() if element.table is not None:
                    yield from self._behind(scope, nest, element)
                case FromClause() if not isinstance(element, ColumnElement):
                    yield from self._all_of(scope, nest, element)
                case _textual_label_reference():
                    raise CannotFlatten("a column by its label")
                case _:
                    todo += element.get_children()

    def _behind(
        self, scope: SelectScope, nest: SubqueryPath, column: ColumnClause[Any]
    ) -> Iterator[tuple[TableRef, str]]:
        origin = scope.origin(table(column))
        if isinstance(origin, TableRef):
            yield origin, column.name
        elif isinstance(origin, Inner) and origin.scope is not None and origin.is_plain:
            for inner in selected(column):
                yield from self._columns(origin.scope, nest, inner)
        elif (found := single(scope, column)) is not None:
            yield found

    def _all_of(self, scope: SelectScope, nest: SubqueryPath, member: FromClause) -> Iterator[tuple[TableRef, str]]:
        for column in member.c:
            yield from self._columns(scope, nest, column)

    # Conditions.

    def _condition(self, scope: SelectScope, nest: SubqueryPath, condition: Any) -> None:
        if self._half_join(scope, nest, condition):
            return
        columns = set(self._columns(scope, nest, condition))
        for place, name in columns:
            place.deciding.add(name)
        places = frozenset(place for place, _ in columns)
        clause = self._meaning.translated(scope, condition)
        self.parts.conditions.append(Condition(nest, clause, places, tuple(self._meaning.equalities(scope, condition))))

    def _half_join(self, scope: SelectScope, nest: SubqueryPath, condition: Any) -> bool:
        """EXISTS and IN that must be true are joins, as far as it matters which rows take part."""
        element: Any = condition
        while isinstance(element, Grouping):
            element = element.element
        if type(element) is not Exists and not (
            isinstance(element, BinaryExpression)
            and element.operator is operators.in_op
            and isinstance(element.right, ScalarSelect | SelectBase)
        ):
            return False
        selects = selects_of(element.element if isinstance(element, Exists) else element.right)
        if len(selects) != 1 or not isinstance(selects[0], Select) or not is_plain(selects[0]):
            return False
        if isinstance(element, Exists):
            self.select(selects[0], scope, nest, values=False)
            return True
        (column, *more) = selects[0].selected_columns
        if more or not isinstance(element.left, ColumnClause):
            return False
        inside = self.select(selects[0], scope, nest)
        self._use(scope, nest, [element.left], deciding=True)
        self._use(inside, nest, [column], deciding=True)
        ends = single(scope, element.left), single(inside, unlabelled(column))
        if ends[0] is not None and ends[1] is not None:
            clause = column_of(*ends[0]) == column_of(*ends[1])
            places = frozenset({ends[0][0], ends[1][0]})
            self.parts.conditions.append(Condition(nest, clause, places, tuple(links(ends[0], ends[1]))))
        else:
            found = {*self._columns(scope, nest, element.left), *self._columns(inside, nest, column)}
            self.parts.conditions.append(Condition(nest, None, frozenset(place for place, _ in found)))
        return True

"""Taking a statement apart."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

from sqlalchemy import Alias, BindParameter, ColumnElement, Dialect, FromClause, Select, Table
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.annotation import _deep_deannotate
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    BooleanClauseList,
    ColumnClause,
    False_,
    Grouping,
    Null,
    Over,
    True_,
    WithinGroup,
    _textual_label_reference,
)
from sqlalchemy.sql.functions import FunctionElement
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
from sqlalchemy.types import Boolean, Enum, Integer, String, TypeDecorator, TypeEngine, Uuid

from afterwork.errors import CantTrack, NotWatched
from afterwork.journal.watch import Watches
from afterwork.manifest.query.parts import (
    Condition,
    Constant,
    Equality,
    Given,
    Link,
    Nest,
    Parts,
    Place,
    Source,
    Unclear,
    column_of,
)
from afterwork.manifest.query.refused import refuse
from afterwork.manifest.query.scope import Inner, Origin, Scope, entities_by_key, resolved, selects_of
from afterwork.store.tables import metadata as own_tables

_ROW_BY_ROW = frozenset({"coalesce", "upper", "lower", "length", "abs", "round", "concat", "trim", "substr", "nullif"})
"""Functions that are surely no aggregates."""


def take_apart(
    statement: Any,
    watches: Watches,
    dialect: Dialect,
    *,
    entities: bool = True,
    parameters: Iterable[BindParameter[Any]] = (),
) -> Parts:
    """The parts of a statement. With `entities`, classes that it selects are read as objects. `parameters` are those of
    the statement: the parts refer to them, not to copies.

    Raises `CantTrack` for what can't be tracked, `Unclear` for what can't be taken apart.
    """
    work = _Flattening(watches, dialect, parameters)
    if entities and isinstance(statement, Select):
        statement, kinds = entities_by_key(statement)
        work.select(statement, None, ())
        for place in work.parts.places:
            place.deciding |= {name for table, name in kinds if table is place.watch.table}
    else:
        work.subquery(None, (), statement)
    return work.parts


class _Flattening:
    def __init__(self, watches: Watches, dialect: Dialect, parameters: Iterable[BindParameter[Any]]) -> None:
        self.parts = Parts()
        self._parameters = set(parameters)
        self._watches = watches
        self._dialect = dialect
        self._numbers = count(1)
        self._seen: set[tuple[int, int]] = set()
        self._kept: list[object] = []  # so that no id is given twice

    def _original(self, parameter: BindParameter[Any]) -> BindParameter[Any]:
        """The parameter as it stands in the statement, of which SQLAlchemy makes copies under other names."""
        copies: Any = parameter._cloned_set
        return next((one for one in copies if one in self._parameters), parameter)

    # Selects and their FROM.

    def select(
        self,
        statement: Any,
        around: Scope | None,
        nest: Nest,
        *,
        values: bool = True,
        in_from: bool = False,
        lateral: bool = False,
    ) -> Scope:
        """Add the parts of a select. `values`: what it selects counts."""
        refuse(statement)
        if not isinstance(statement, Select):
            raise Unclear(type(statement).__name__)
        for cte in statement._independent_ctes:
            _refuse_writing(cte.element)
        core, froms = resolved(statement, around, self._dialect, in_from=in_from, lateral=lateral)
        scope = Scope(nest, around)
        scope.own = {member for found in froms for member in found._from_objects}
        scope.all = scope.own | (around.all if around is not None else set())
        pending: list[tuple[Nest, Any]] = []
        for found in froms:
            self._add(scope, found, nest, pending)
        pending += [(nest, clause) for clause in core._where_criteria]
        for inside, clause in pending:
            for condition in _conjuncts(clause):
                self._condition(scope, inside, condition)
        for clause in _deciding(core):
            if isinstance(clause, _textual_label_reference):
                self._use(scope, nest, core._all_selected_columns, deciding=True)
            else:
                self._use(scope, nest, [clause], deciding=True)
        if values:
            self._use(scope, nest, core._all_selected_columns, deciding=False)
        return scope

    def subquery(self, around: Scope | None, nest: Nest, statement: Any, *, values: bool = True) -> None:
        """Add what can't take rows away around it."""
        for one in selects_of(statement):
            key = id(one), id(around)
            if key not in self._seen:
                self._seen.add(key)
                self._kept.append(one)
                self.select(one, around, self._inside(nest), values=values)

    def _inside(self, nest: Nest) -> Nest:
        return (*nest, next(self._numbers))

    def _add(
        self, scope: Scope, member: Any, nest: Nest, pending: list[tuple[Nest, Any]], *, lateral: bool = False
    ) -> None:
        """Add a member of FROM."""
        refuse(member)
        match member:
            case Join():
                if member.full:
                    raise Unclear("FULL JOIN")
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
                raise Unclear(type(member).__name__)

    def _place(self, table: Table, nest: Nest) -> Origin:
        watch = self._watches.of(table)
        if watch is None:
            if table.metadata is own_tables:
                return None
            raise NotWatched("with a statement", table.fullname)
        place = Place(watch, nest, watch.table.alias())
        self.parts.places.append(place)
        return place

    def _inner(self, scope: Scope, member: AliasedReturnsRows, nest: Nest, lateral: bool) -> Inner:
        element: Any = member.element
        if isinstance(member, CTE):
            if member.recursive:
                raise Unclear("WITH RECURSIVE")
            _refuse_writing(element)
            element = member._cte_alias if member._cte_alias is not None else element
        if isinstance(element, FromClause) and not isinstance(element, SelectBase):
            pending: list[tuple[Nest, Any]] = []
            inside = Scope(nest, scope, own=scope.own, all=scope.all)
            self._add(inside, element, nest, pending, lateral=lateral)
            if pending:
                raise Unclear("an alias of a join")
            return Inner(inside, is_plain=True)
        selects = selects_of(element)
        if len(selects) > 1:
            for one in selects:
                self.select(one, scope, self._inside(nest), in_from=True, lateral=lateral)
            return Inner(None, is_plain=False)
        (one,) = selects
        plain = _is_plain(one)
        where = nest if plain else self._inside(nest)
        return Inner(self.select(one, scope, where, values=not plain, in_from=True, lateral=lateral), plain)

    # Expressions.

    def _use(self, scope: Scope, nest: Nest, expressions: Iterable[Any], *, deciding: bool) -> None:
        for expression in expressions:
            for place, name in self._columns(scope, nest, expression):
                # What a subquery has from around it may decide there.
                around = place.nest[: len(scope.nest)] != scope.nest
                (place.deciding if deciding or around else place.valued).add(name)

    def _columns(self, scope: Scope, nest: Nest, expression: Any) -> Iterator[tuple[Place, str]]:
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
                    raise Unclear("a column by its label")
                case _:
                    todo += element.get_children()

    def _behind(self, scope: Scope, nest: Nest, column: ColumnClause[Any]) -> Iterator[tuple[Place, str]]:
        origin = scope.origin(_table(column))
        if isinstance(origin, Place):
            yield origin, column.name
        elif isinstance(origin, Inner) and origin.scope is not None and origin.is_plain:
            for inner in _selected(column):
                yield from self._columns(origin.scope, nest, inner)
        elif (single := self._single(scope, column)) is not None:
            yield single

    def _all_of(self, scope: Scope, nest: Nest, member: FromClause) -> Iterator[tuple[Place, str]]:
        for column in member.c:
            yield from self._columns(scope, nest, column)

    def _single(self, scope: Scope, expression: Any) -> tuple[Place, str] | None:
        """The one column that an expression is, also if it has passed through subqueries."""
        while isinstance(expression, Grouping):
            expression = expression.element
        if not isinstance(expression, ColumnClause) or expression.table is None:
            return None
        origin = scope.origin(_table(expression))
        if isinstance(origin, Place):
            return origin, expression.name
        if isinstance(origin, Inner) and origin.scope is not None:
            behind = _selected(expression)
            return self._single(origin.scope, _unlabelled(behind[0])) if len(behind) == 1 else None
        return None

    # Conditions.

    def _condition(self, scope: Scope, nest: Nest, condition: Any) -> None:
        if self._half_join(scope, nest, condition):
            return
        columns = set(self._columns(scope, nest, condition))
        for place, name in columns:
            place.deciding.add(name)
        places = frozenset(place for place, _ in columns)
        clause = self._translated(scope, condition)
        self.parts.conditions.append(Condition(nest, clause, places, tuple(self._equalities(scope, condition))))

    def _half_join(self, scope: Scope, nest: Nest, condition: Any) -> bool:
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
        if len(selects) != 1 or not isinstance(selects[0], Select) or not _is_plain(selects[0]):
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
        ends = self._single(scope, element.left), self._single(inside, _unlabelled(column))
        if ends[0] is not None and ends[1] is not None:
            clause = column_of(*ends[0]) == column_of(*ends[1])
            places = frozenset({ends[0][0], ends[1][0]})
            self.parts.conditions.append(Condition(nest, clause, places, tuple(_links(ends[0], ends[1]))))
        else:
            found = {*self._columns(scope, nest, element.left), *self._columns(inside, nest, column)}
            self.parts.conditions.append(Condition(nest, None, frozenset(place for place, _ in found)))
        return True

    def _equalities(self, scope: Scope, condition: Any) -> Iterator[Equality]:
        if isinstance(condition, AsBoolean):
            wanted = condition.operator is operators.is_true
            yield from self._equal(scope, condition.element, Constant(wanted))
        elif isinstance(condition, ColumnClause):
            yield from self._equal(scope, condition, Constant(True))
        elif isinstance(condition, BinaryExpression) and not condition.modifiers.get("escape"):
            yield from self._equal_sides(scope, condition)

    def _equal_sides(self, scope: Scope, condition: BinaryExpression[Any]) -> Iterator[Equality]:
        left, right = condition.left, condition.right
        if condition.operator is operators.in_op:
            if isinstance(right, BindParameter) and right.expanding:
                yield from self._equal(scope, left, Given(self._original(right), many=True), right.type)
        elif condition.operator in {operators.eq, operators.is_}:
            ends = self._single(scope, left), self._single(scope, right)
            if ends[0] is not None and ends[1] is not None:
                yield from _links(ends[0], ends[1])
            for one, other in ((left, right), (right, left)):
                match other:
                    case Null() if condition.operator is operators.is_:
                        yield from self._equal(scope, one, Constant(None))
                    case True_() | False_():
                        yield from self._equal(scope, one, Constant(isinstance(other, True_)))
                    case BindParameter() if condition.operator is operators.eq:
                        yield from self._equal(scope, one, Given(self._original(other), many=False), other.type)

    def _equal(
        self, scope: Scope, expression: Any, source: Source, kind: TypeEngine[Any] | None = None
    ) -> Iterator[Equality]:
        found = self._single(scope, expression)
        if found is None or found[1] not in found[0].watch.valued:
            return
        place, name = found
        wanted = column_of(place, name).type
        if isinstance(source, Constant) and source.value is not None and not isinstance(wanted, Boolean):
            return
        if kind is None or _is_same_kind(wanted, kind):
            yield Equality(place, name, source)

    def _translated(self, scope: Scope, condition: Any) -> ColumnElement[bool] | None:
        """A condition in terms of the aliases of its places; None if there are others in it than that."""
        if any(isinstance(element, SelectBase) for element in visitors.iterate(condition)):
            return None
        clear = True

        def replace(element: Any, **options: Any) -> Any:
            nonlocal clear
            if isinstance(element, BindParameter):
                return self._original(element)  # a copy would be another parameter
            if isinstance(element, FromClause | Over | WithinGroup) and not isinstance(element, FunctionElement):
                clear = False
                return element
            if isinstance(element, ColumnClause) and element.table is not None:
                single = self._single(scope, element)
                clear = clear and single is not None
                return element if single is None else column_of(*single)
            return None

        translated = visitors.replacement_traverse(_bare(condition), {}, replace)
        return translated if clear else None


def _bare(condition: Any) -> Any:
    """A copy without annotations. They are named, since SQLAlchemy 2.0 otherwise changes what was annotated: the
    conditions of relationships would lose which of their columns are remote."""
    names = {name for element in visitors.iterate(condition) for name in getattr(element, "_annotations", ())}
    return _deep_deannotate(condition, sorted(names))


def _links(one: tuple[Place, str], other: tuple[Place, str]) -> Iterator[Equality]:
    """Both directions of an equality of two columns."""
    if not _is_same_kind(column_of(*one).type, column_of(*other).type):
        return
    for (place, name), source in ((one, other), (other, one)):
        if name in place.watch.valued and source[1] in source[0].watch.valued and place is not source[0]:
            yield Equality(place, name, Link(*source))


def _is_same_kind(one: TypeEngine[Any], other: TypeEngine[Any]) -> bool:
    """Whether values of two types that are equal are written the same."""
    if isinstance(one, TypeDecorator | Enum) or isinstance(other, TypeDecorator | Enum):
        return one is other or (type(one) is type(other) and one._static_cache_key == other._static_cache_key)
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in (Boolean, Integer, String, Uuid))


def _conjuncts(clause: Any) -> Iterator[Any]:
    while isinstance(clause, Grouping):
        clause = clause.element
    if isinstance(clause, BooleanClauseList) and clause.operator is operators.and_:
        for one in clause.clauses:
            yield from _conjuncts(one)
    elif clause is not None:
        yield clause


def _deciding(core: Select[Any]) -> Iterator[Any]:
    """What orders, groups and cuts a select."""
    yield from core._group_by_clauses
    yield from core._having_criteria
    yield from core._order_by_clauses
    yield from core._distinct_on
    cuts = (core._limit_clause, core._offset_clause, core._fetch_clause)
    yield from (clause for clause in cuts if clause is not None)


def _is_plain(statement: Any) -> bool:
    """Whether a select has a row for each row of its FROM that meets its conditions."""
    if not isinstance(statement, Select):
        return False
    if any(True for _ in _deciding(statement.order_by(None))) or statement._distinct:
        return False
    columns = [raw for raw in statement._raw_columns if not isinstance(raw, FromClause)]
    return all(
        not isinstance(element, Over | WithinGroup)
        and not (isinstance(element, FunctionElement) and getattr(element, "name", "") not in _ROW_BY_ROW)
        for column in columns
        for element in visitors.iterate(column)
    )


def _selected(column: ColumnClause[Any]) -> list[Any]:
    """What a subquery selects as this column."""
    return list(getattr(column, "_proxies", ()))


def _unlabelled(expression: Any) -> Any:
    while hasattr(expression, "element") and isinstance(expression, ColumnElement) and _is_label(expression):
        expression = expression.element
    return expression


def _is_label(expression: Any) -> bool:
    return bool(expression.__visit_name__ == "label")


def _table(column: ColumnClause[Any]) -> FromClause:
    if column.table is None:
        raise Unclear(str(column))
    return column.table


def _refuse_writing(element: Any) -> None:
    if not isinstance(element, SelectBase):
        raise CantTrack("from a statement that writes", "a cache's question must not write. Put it into one of its own")

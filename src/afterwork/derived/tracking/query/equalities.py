"""The demands of a statement's conditions: which columns equal what, in terms of its table refs."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import AsBoolean, BinaryExpression, ColumnClause, False_, Null, Over, True_, WithinGroup
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.selectable import SelectBase
from sqlalchemy.types import (
    Boolean,
    Date,
    DateTime,
    Enum,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Time,
    TypeDecorator,
    TypeEngine,
    Uuid,
)

from afterwork.compat.sqlalchemy_statements import are_same_type, original_of, selected_behind, without_annotations
from afterwork.derived.tracking.query.clauses import table_of, without_brackets, without_labels
from afterwork.derived.tracking.query.flat_query import (
    ColumnSource,
    ConstantSource,
    Equality,
    ParameterSource,
    TableRef,
    ValueSource,
    column_of,
)
from afterwork.derived.tracking.query.select_scope import FromSubquery, SelectScope

EQUALITY_OPERATORS = {operators.eq, operators.is_, operators.is_not_distinct_from}
"""Operators that demand two equal values. To all but the first, two nulls are equal."""

COMPARABLE_TYPES = (Boolean, Integer, String, Uuid, Numeric, Date, DateTime, Time, LargeBinary)
"""Types whose subclasses all convert a value in the same way before it goes to the driver."""


@dataclass(frozen=True)
class ConditionReader:
    """Reads conditions in terms of table refs. `parameters` are those of the statement."""

    parameters: Set[BindParameter[Any]]

    def equalities(self, scope: SelectScope, condition: Any) -> Iterator[Equality]:
        """Yield the equalities that a condition demands, where that is exact."""
        if isinstance(condition, AsBoolean):
            wanted = condition.operator is operators.is_true
            yield from self._equal(scope, condition.element, ConstantSource(wanted))
        elif isinstance(condition, ColumnClause):
            yield from self._equal(scope, condition, ConstantSource(True))
        elif isinstance(condition, BinaryExpression) and not condition.modifiers.get("escape"):
            yield from self._of_binary(scope, condition)

    def _of_binary(self, scope: SelectScope, condition: BinaryExpression[Any]) -> Iterator[Equality]:
        left, right = condition.left, condition.right
        if condition.operator is operators.in_op:
            if isinstance(right, BindParameter) and right.expanding:
                yield from self._equal(scope, left, self._source(right, many=True), right.type)
        elif condition.operator in EQUALITY_OPERATORS:
            nulls = condition.operator is not operators.eq
            columns = single_column(scope, left), single_column(scope, right)
            if columns[0] is not None and columns[1] is not None:
                yield from linked_columns(columns[0], columns[1], nulls=nulls)
            yield from self._equal_to(scope, left, right, nulls=nulls)
            yield from self._equal_to(scope, right, left, nulls=nulls)

    def _equal_to(self, scope: SelectScope, expression: Any, value: Any, *, nulls: bool) -> Iterator[Equality]:
        match value:
            case Null() if nulls:
                yield from self._equal(scope, expression, ConstantSource(None))
            case True_() | False_():
                yield from self._equal(scope, expression, ConstantSource(isinstance(value, True_)))
            case BindParameter():
                yield from self._equal(scope, expression, self._source(value, many=False), value.type)

    def _equal(
        self, scope: SelectScope, expression: Any, source: ValueSource, type_: TypeEngine[Any] | None = None
    ) -> Iterator[Equality]:
        """Yield the equality of a column with a source of this type, if the journal has the column's values."""
        single = single_column(scope, expression)
        if single is None or not single[0].table.is_asked(single[1]):
            return
        column_type = column_of(*single).type
        if isinstance(source, ConstantSource) and source.value is not None and not isinstance(column_type, Boolean):
            return
        if type_ is None or _are_comparable(column_type, type_):
            yield Equality(*single, source)

    def translated(self, scope: SelectScope, condition: Any) -> ColumnElement[bool] | None:
        """Return a condition in terms of its table refs' aliases; None if it has elements of other kinds."""
        if any(isinstance(element, SelectBase) for element in visitors.iterate(condition)):
            return None
        is_complete = True

        def replace(element: Any, **options: Any) -> Any:
            nonlocal is_complete
            if isinstance(element, BindParameter):
                return original_of(element, self.parameters)  # a copy would be another parameter
            if isinstance(element, FromClause | Over | WithinGroup) and not isinstance(element, FunctionElement):
                is_complete = False
                return element
            if isinstance(element, ColumnClause) and element.table is not None:
                single = single_column(scope, element)
                is_complete = is_complete and single is not None
                return element if single is None else column_of(*single)
            return None

        translated = visitors.replacement_traverse(without_annotations(condition), {}, replace)
        return translated if is_complete else None

    def _source(self, parameter: BindParameter[Any], *, many: bool) -> ParameterSource:
        return ParameterSource(original_of(parameter, self.parameters), many)


def single_column(scope: SelectScope, expression: Any) -> tuple[TableRef, str] | None:
    """Return the one column that an expression is, also if it has passed through subqueries."""
    expression = without_brackets(expression)
    if not isinstance(expression, ColumnClause) or expression.table is None:
        return None
    origin = scope.origin(table_of(expression))
    if isinstance(origin, TableRef):
        return origin, expression.name
    if isinstance(origin, FromSubquery) and origin.scope is not None:
        selected = selected_behind(expression)
        return single_column(origin.scope, without_labels(selected[0])) if len(selected) == 1 else None
    return None


def linked_columns(
    left: tuple[TableRef, str], right: tuple[TableRef, str], *, nulls: bool = False
) -> Iterator[Equality]:
    """Yield the equality of two columns in both directions. With `nulls`, null equals null."""
    if not _are_comparable(column_of(*left).type, column_of(*right).type):
        return
    for (table_ref, name), source in ((left, right), (right, left)):
        if table_ref is not source[0] and table_ref.table.is_linked(name, source[0].table, source[1]):
            yield Equality(table_ref, name, ColumnSource(*source, nulls))


def _are_comparable(left: TypeEngine[Any], right: TypeEngine[Any]) -> bool:
    """Return whether equal values of two types are written the same."""
    if are_same_type(left, right):
        return True
    if isinstance(left, TypeDecorator | Enum) or isinstance(right, TypeDecorator | Enum):
        return False
    return any(isinstance(left, type_) and isinstance(right, type_) for type_ in COMPARABLE_TYPES)

"""What the conditions of a statement say: which columns equal what, in terms of the places that are read."""

from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, FromClause
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.annotation import _deep_deannotate
from sqlalchemy.sql.elements import (
    AsBoolean,
    BinaryExpression,
    ColumnClause,
    False_,
    Grouping,
    Null,
    Over,
    True_,
    WithinGroup,
)
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

from afterwork.derived.tracking.query.clauses import selected, table, unlabelled
from afterwork.derived.tracking.query.flat_query import (
    ColumnSource,
    ConstantSource,
    Equality,
    ParameterSource,
    TableRef,
    ValueSource,
    column_of,
)
from afterwork.derived.tracking.query.select_scope import Inner, SelectScope

EQUAL = {operators.eq, operators.is_, operators.is_not_distinct_from}
"""What demands that two values are equal. To all but the first, two nulls are."""

KINDS = (Boolean, Integer, String, Uuid, Numeric, Date, DateTime, Time, LargeBinary)
"""Types of which all make the same of a value before it goes to the driver."""


@dataclass(frozen=True)
class ConditionReader:
    """What conditions say about the columns of places. `parameters` are those of the statement."""

    parameters: Set[BindParameter[Any]]

    def equalities(self, scope: SelectScope, condition: Any) -> Iterator[Equality]:
        """The columns that must equal something for a condition to be true, as far as that is exact."""
        if isinstance(condition, AsBoolean):
            wanted = condition.operator is operators.is_true
            yield from self._equal(scope, condition.element, ConstantSource(wanted))
        elif isinstance(condition, ColumnClause):
            yield from self._equal(scope, condition, ConstantSource(True))
        elif isinstance(condition, BinaryExpression) and not condition.modifiers.get("escape"):
            yield from self._equal_sides(scope, condition)

    def _equal_sides(self, scope: SelectScope, condition: BinaryExpression[Any]) -> Iterator[Equality]:
        left, right = condition.left, condition.right
        if condition.operator is operators.in_op:
            if isinstance(right, BindParameter) and right.expanding:
                yield from self._equal(scope, left, ParameterSource(self._original(right), many=True), right.type)
        elif condition.operator in EQUAL:
            ends = single(scope, left), single(scope, right)
            if ends[0] is not None and ends[1] is not None:
                yield from links(ends[0], ends[1], nulls=condition.operator is not operators.eq)
            for one, other in ((left, right), (right, left)):
                match other:
                    case Null() if condition.operator is not operators.eq:
                        yield from self._equal(scope, one, ConstantSource(None))
                    case True_() | False_():
                        yield from self._equal(scope, one, ConstantSource(isinstance(other, True_)))
                    case BindParameter():
                        yield from self._equal(
                            scope, one, ParameterSource(self._original(other), many=False), other.type
                        )

    def _equal(
        self, scope: SelectScope, expression: Any, source: ValueSource, kind: TypeEngine[Any] | None = None
    ) -> Iterator[Equality]:
        found = single(scope, expression)
        if found is None or not found[0].table.is_asked(found[1]):
            return
        place, name = found
        wanted = column_of(place, name).type
        if isinstance(source, ConstantSource) and source.value is not None and not isinstance(wanted, Boolean):
            return
        if kind is None or _is_same_kind(wanted, kind):
            yield Equality(place, name, source)

    def translated(self, scope: SelectScope, condition: Any) -> ColumnElement[bool] | None:
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
                found = single(scope, element)
                clear = clear and found is not None
                return element if found is None else column_of(*found)
            return None

        translated = visitors.replacement_traverse(_bare(condition), {}, replace)
        return translated if clear else None

    def _original(self, parameter: BindParameter[Any]) -> BindParameter[Any]:
        """The parameter as it stands in the statement, of which SQLAlchemy makes copies under other names."""
        copies: Any = parameter._cloned_set
        return next((one for one in copies if one in self.parameters), parameter)


def single(scope: SelectScope, expression: Any) -> tuple[TableRef, str] | None:
    """The one column that an expression is, also if it has passed through subqueries."""
    while isinstance(expression, Grouping):
        expression = expression.element
    if not isinstance(expression, ColumnClause) or expression.table is None:
        return None
    origin = scope.origin(table(expression))
    if isinstance(origin, TableRef):
        return origin, expression.name
    if isinstance(origin, Inner) and origin.scope is not None:
        behind = selected(expression)
        return single(origin.scope, unlabelled(behind[0])) if len(behind) == 1 else None
    return None


def links(one: tuple[TableRef, str], other: tuple[TableRef, str], *, nulls: bool = False) -> Iterator[Equality]:
    """Both directions of an equality of two columns. `nulls` says that null meets null."""
    if not _is_same_kind(column_of(*one).type, column_of(*other).type):
        return
    for (place, name), source in ((one, other), (other, one)):
        if place is not source[0] and place.table.is_linked(name, source[0].table, source[1]):
            yield Equality(place, name, ColumnSource(*source, nulls))


def _is_same_kind(one: TypeEngine[Any], other: TypeEngine[Any]) -> bool:
    """Whether values of two types that are equal are written the same."""
    if one is other or (type(one) is type(other) and one._static_cache_key == other._static_cache_key):
        return True
    if isinstance(one, TypeDecorator | Enum) or isinstance(other, TypeDecorator | Enum):
        return False
    return any(isinstance(one, kind) and isinstance(other, kind) for kind in KINDS)


def _bare(condition: Any) -> Any:
    """A copy without annotations. They are named, since SQLAlchemy 2.0 otherwise changes what was annotated: the
    conditions of relationships would lose which of their columns are remote."""
    names = {name for element in visitors.iterate(condition) for name in getattr(element, "_annotations", ())}
    return _deep_deannotate(condition, sorted(names))

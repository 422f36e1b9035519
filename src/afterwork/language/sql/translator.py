"""One translation of a typed tree to SQL, as the operators use it; `node_translator.py` knows each kind of node.

What doesn't depend on rows is not translated but evaluated once, as any expression is, and becomes a parameter.
"""

import enum
import uuid
from abc import ABC, abstractmethod
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any, NoReturn

from sqlalchemy import case, cast, false, func, literal, null
from sqlalchemy.types import BigInteger, Boolean, Double, Enum, String, TypeEngine

from afterwork.language.run.compile import compiled
from afterwork.language.run.evaluation import BudgetExhausted, Untranslatable, VariableFrame
from afterwork.language.run.values import as_stored, as_timestamp
from afterwork.language.sql.dialects import ExactDecimal, SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, Term
from afterwork.language.sql.timestamps import DurationType, TimestampType, as_timestamp_column, calculable
from afterwork.language.typed import types
from afterwork.language.typed.nodes import TypedConstant, TypedNode, VariableRead, walk
from afterwork.language.typed.signature import TypePattern
from afterwork.language.typed.types import EnumType, ObjectType, Type, TypeOf

Translated = Term | Entity | KnownObject | RowSet

MAX_NODES = 2_000
"""The most nodes that it visits: `let` is written out where it is used, so a short text may mean a long one."""

MAX_NODES_LOOKED_AT = MAX_NODES * 50
"""The most nodes that it looks at to tell which depend on rows."""


class Translator(ABC):
    """One translation. `frame` holds known values, `variables` the rows and nodes that other variables stand for."""

    def __init__(self, frame: VariableFrame) -> None:
        self.frame = frame
        self.variables: dict[int, Translated | TypedNode] = {}
        self.nodes = 0

    @abstractmethod
    def translated(self, node: TypedNode) -> Translated:
        """Translate any node."""

    @abstractmethod
    def term(self, node: TypedNode) -> Term:
        """Translate a node that is a single value."""

    @abstractmethod
    def entity(self, node: TypedNode) -> Entity | KnownObject:
        """Translate a node that is a single object."""

    @abstractmethod
    def rows(self, node: TypedNode) -> RowSet:
        """Translate a node that is a collection."""

    def refuse(self, node: TypedNode, why: str) -> NoReturn:
        """Raise that a node can't become SQL."""
        raise Untranslatable(why, node.at)

    def column(self, node: TypedNode) -> SqlColumn:
        """Translate a value to calculate with."""
        term = self.term(node)
        if term.encoded:
            self.refuse(node, "the database holds it in a form of its own, which can only be compared")
        return calculable(term.column)

    def condition(self, node: TypedNode) -> SqlColumn:
        """Translate a Boolean, with false for null."""
        term = self.term(node)
        return func.coalesce(term.column, false()) if term.nullable else term.column

    def conditional(self, node: TypedNode, condition: TypedNode, yes: TypedNode, no: TypedNode) -> Term:
        """Translate `node`, which chooses between two values."""
        values = self.column(yes), self.column(no)
        yes_column, no_column = map(as_timestamp_column, values) if node.type == types.DATETIME else values
        return Term(case((self.condition(condition), yes_column), else_=no_column), node.type)

    def unlimited(self, node: TypedNode) -> RowSet:
        """Translate a collection that is no section of another, so that conditions can be added to it."""
        rows = self.rows(node)
        if rows.limited:
            self.refuse(node, "of a section of a collection only the size can be asked")
        return rows

    def bind(self, slot: int, element: Translated) -> None:
        """Let a variable stand for the elements of rows."""
        self.variables[slot] = element

    # Known values

    def is_known(self, node: TypedNode) -> bool:
        """Return whether a node depends on no row."""
        for part in walk(node):
            self.nodes += 1
            match part:
                case VariableRead(slot=slot) if slot in self.variables:
                    return False
                case TypedConstant(type=TypeOf(of=ObjectType())):
                    return False
        if self.nodes > MAX_NODES_LOOKED_AT:
            raise BudgetExhausted("It is too long once let is written out.", node.at)
        return True

    def is_null(self, node: TypedNode) -> bool:
        """Return whether a node is known to be null."""
        return self.is_known(node) and self.value(node) is None

    def value(self, node: TypedNode) -> Any:
        """Evaluate a node that depends on no row."""
        return compiled(node)(self.frame)

    def parameter(self, node: TypedNode, value: Any, like: Term | None = None) -> Term:
        """Return a known value as a parameter, of the type of the term `like` that it will be compared with."""
        return _parameter(node.type, value, like) or self.refuse(node, "it is no single value")


PARAMETER_CLASSES = (bool, int, float, Decimal, str, date, time, timedelta, uuid.UUID, bytes, enum.Enum)
"""The classes of values that can be parameters."""

COLUMN_TYPES: dict[Type, TypeEngine[Any]] = {
    types.BOOLEAN: Boolean(),
    types.INTEGER: BigInteger(),
    types.DECIMAL: ExactDecimal(),
    types.REAL: Double(),
    types.STRING: String(),
    types.DATETIME: TimestampType(),
    types.TIMESPAN: DurationType(),
}


def _parameter(type_: Type, value: Any, like: Term | None) -> Term | None:
    """Return a value with the column type of `like`, the term to compare it with; None for a collection."""
    column_type = like.column_type if like is not None and like.column_type is not None else _column_type(type_)
    if value is None:
        # PostgreSQL needs the type of each null
        typed_null = null() if column_type is None else cast(null(), column_type)
        return Term(typed_null, type_, True, column_type, calculated=False, known_null=True)
    if not isinstance(value, PARAMETER_CLASSES):
        return None
    if type_ == types.DATETIME and isinstance(value, date):
        value = as_stored(as_timestamp(value), column_type)
    bound_as = None if isinstance(value, float) and isinstance(column_type, ExactDecimal) else column_type
    return Term(literal(value, bound_as), type_, False, column_type, calculated=False)


def null_parameter(pattern: TypePattern) -> SqlColumn:
    """Return null, with the type that an operator expects."""
    column_type = COLUMN_TYPES.get(types.BASIC_TYPES[pattern.name.lower()])
    return null() if column_type is None else cast(null(), column_type)


def _column_type(type_: Type) -> TypeEngine[Any] | None:
    return Enum(type_.cls, native_enum=False) if isinstance(type_, EnumType) else COLUMN_TYPES.get(type_)

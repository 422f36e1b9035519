"""Typed tree → SQL. What can't become SQL is refused with its place.

What doesn't depend on the rows is not SQL but a parameter: it is evaluated once, as any expression is.
"""

from itertools import islice
from typing import Any, NoReturn

from sqlalchemy import and_, case, false, func, or_
from sqlalchemy.sql.visitors import iterate

from afterwork.language import types
from afterwork.language.compile import compiled
from afterwork.language.members import Attribute
from afterwork.language.operator import Columns, Operator, Rows
from afterwork.language.run import Exhausted, Frame, Untranslatable
from afterwork.language.sql.comparing import compared
from afterwork.language.sql.moments import as_moment, calculable
from afterwork.language.sql.parameters import no_value, parameter
from afterwork.language.sql.rowset import Column, Entity, Known, RowSet, Term, far_rows, known_rows
from afterwork.language.sql.single import single_row
from afterwork.language.typed import (
    Bind,
    Call,
    Choose,
    Compare,
    Constant,
    Follow,
    Invoke,
    Logic,
    May,
    Read,
    Single,
    Typed,
    Variable,
    walk,
)
from afterwork.language.types import CollectionType, ObjectType, TypeOf

Found = Term | Entity | Known | RowSet

MOST_NODES = 2_000
"""Nodes that a translation may come by: `let` is written out where it is used, so a short text may mean a long one."""

MOST_ELEMENTS = 5_000
"""Elements that an expression of SQL may have. What is mentioned several times in one is written out each time."""


class Translator:
    """One translation. `frame` has the values that are known, `rows` what stands for variables that are rows."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.variables: dict[int, Found | Typed] = {}
        self.nodes = 0

    def found(self, node: Typed) -> Found:
        """What a node is in SQL."""
        if isinstance(node.type, CollectionType):
            return self.rows(node)
        return self.entity(node) if isinstance(node.type, ObjectType) else self.term(node)

    def refuse(self, node: Typed, why: str) -> NoReturn:
        """Raise that a node can't become SQL."""
        raise Untranslatable(why, node.at)

    # Values

    def term(self, node: Typed) -> Term:
        """A node that is a value."""
        if self.is_known(node):
            return self.parameter(node, self.value(node))
        match node:
            case Read(source=source, member=member):
                return self._attribute(node, self.entity(source), member)
            case Compare():
                return Term(compared(self, node), types.BOOLEAN, False)
            case Logic():
                return Term(self._logic(node), types.BOOLEAN, False)
            case Choose():
                return self._choice(node)
        found = self._common(node)
        if not isinstance(found, Term):
            self.refuse(node, "it is no single value")
        return found

    def column(self, node: Typed) -> Column:
        """A value to calculate with."""
        term = self.term(node)
        if term.encoded:
            self.refuse(node, "the database holds it in a form of its own, which can only be compared")
        return calculable(term.column)

    def condition(self, node: Typed) -> Column:
        """A Boolean that is never null."""
        term = self.term(node)
        return func.coalesce(term.column, false()) if term.nullable else term.column

    def parameter(self, node: Typed, value: Any, like: Term | None = None) -> Term:
        """A value that is known, of the type of what it will be compared with."""
        return parameter(node.type, value, like) or self.refuse(node, "it is no single value")

    def _attribute(self, node: Read, entity: Entity | Known, member: Attribute) -> Term:
        if isinstance(entity, Known):  # the object is null: the rest is known, too
            return self.parameter(node, None)
        if member.kept_as is None:
            self.refuse(node, f"{member.key} is not in the database")
        column = entity.column(getattr(entity.alias, member.key))
        nullable = member.nullable or entity.nullable or entity.picked is not None
        return Term(column, member.type, nullable, member.kept_as, not member.plain, calculated=False)

    def _logic(self, node: Logic) -> Column:
        left, right = self.condition(node.left), self.condition(node.right)
        match node.operator:
            case "and":
                return and_(left, right)
            case "or":
                return or_(left, right)
            case "xor":
                return or_(and_(left, ~right), and_(~left, right))
            case _:
                return or_(~left, right)

    def _choice(self, node: Choose) -> Term:
        return self.chosen(node, node.condition, node.yes, node.no)

    def chosen(self, node: Typed, condition: Typed, yes: Typed, no: Typed) -> Term:
        """One of two values."""
        values = self.column(yes), self.column(no)
        one, other = map(as_moment, values) if node.type == types.DATETIME else values
        return Term(case((self.condition(condition), one), else_=other), node.type)

    # Objects

    def entity(self, node: Typed) -> Entity | Known:
        """A node that is an object."""
        if self.is_known(node):
            return Known(self.value(node))
        if isinstance(node, Follow) and not node.member.many:
            source = self.entity(node.source)
            return source if isinstance(source, Known) else source.follow(node.member)
        found = self._common(node)
        if not isinstance(found, Entity | Known):
            self.refuse(node, "it is no single object")
        return found

    # Collections

    def rows(self, node: Typed) -> RowSet:
        """A node that is a collection."""
        if self.is_known(node):
            return self._known_rows(node)
        if isinstance(node, Single):
            return single_row(self, node)
        if isinstance(node, Follow):
            source = self.entity(node.source)
            if isinstance(source, Known):
                self.refuse(node, "its object is null")
            assert isinstance(node.type, CollectionType)
            return far_rows(source, node.member, node.type.kind)
        found = self._common(node)
        if not isinstance(found, RowSet):
            self.refuse(node, "it is no collection")
        return found

    def unlimited(self, node: Typed) -> RowSet:
        """A collection that is not a section of another, so that more can be asked of it."""
        rows = self.rows(node)
        if rows.limited:
            self.refuse(node, "of a section of a collection only the size can be asked")
        return rows

    def _known_rows(self, node: Typed) -> RowSet:
        assert isinstance(node.type, CollectionType)
        element = node.type.element
        if not isinstance(element, ObjectType):
            self.refuse(node, "values that are no rows can only be asked for includes and excludes")
        return known_rows(element.cls, self.value(node), node.type.kind)

    # What may be anything

    def _common(self, node: Typed) -> Found:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            self.refuse(node, "it is too long once let is written out")
        match node:
            case Variable(slot=slot):
                bound = self.variables[slot]
                return self.found(bound) if isinstance(bound, Typed) else bound
            case Bind():
                return self._bound(node)
            case Call(operator=operator):
                return self._called(node, operator)
            case Invoke() | May():
                self.refuse(node, "methods of the model run in Python")
        return self.refuse(node, "SQL has nothing like it")

    def _called(self, node: Call, operator: Operator) -> Found:
        match operator.sql:
            case Rows(function=function):
                return function(self, node)  # type: ignore[no-any-return]
            case Columns(function=function):
                return self._calculated(function, node)
        return self.refuse(node, f"{operator.name} has no SQL")

    def _calculated(self, function: Any, node: Call) -> Term:
        signature = node.operator.signature
        patterns = [signature.source, *(wanted.pattern for wanted in signature.wanted)]
        columns: list[Column] = []
        for pattern, argument in zip(patterns, node.arguments, strict=True):
            if not self._is_null(argument):
                columns.append(self.column(argument))
            elif pattern.nullable:
                columns.append(no_value(pattern))
            else:  # null is handed through
                return self.parameter(node, None)
        made = function(*columns)
        if next(islice(iterate(made), MOST_ELEMENTS, None), None) is not None:
            self.refuse(node, "it is too long once it is written out")
        return Term(made, node.type, not all(pattern.nullable for pattern in patterns))

    def _is_null(self, node: Typed) -> bool:
        return self.is_known(node) and self.value(node) is None

    def _bound(self, node: Bind) -> Found:
        slot = node.variable.slot
        if self.is_known(node.value):
            self.frame[slot] = self.value(node.value)
        else:
            self.variables[slot] = node.value
        return self.found(node.body)

    def within(self, slot: int, element: Found) -> None:
        """Let a variable stand for the elements of rows."""
        self.variables[slot] = element

    # What is known beforehand

    def is_known(self, node: Typed) -> bool:
        """Whether a node depends on no row."""
        for part in walk(node):
            self.nodes += 1
            match part:
                case Variable(slot=slot) if slot in self.variables:
                    return False
                case Constant(type=TypeOf(of=ObjectType())):
                    return False
        if self.nodes > MOST_NODES * 50:
            raise Exhausted("It is too long once let is written out.", node.at)
        return True

    def value(self, node: Typed) -> Any:
        """The value of a node that is known."""
        return compiled(node)(self.frame)

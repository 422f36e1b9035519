"""Typed tree → SQL, node by node. What can't become SQL is refused with its position."""

from collections.abc import Callable
from itertools import islice

from sqlalchemy import and_, or_
from sqlalchemy.sql.visitors import iterate

from afterwork.language.sql.comparisons import compared
from afterwork.language.sql.parameters import no_value
from afterwork.language.sql.rowset import Column, Entity, Known, RowSet, Term, far_rows, known_rows
from afterwork.language.sql.single_values import single_row
from afterwork.language.sql.translator import MAX_NODES, Translated, Translator
from afterwork.language.typed import types
from afterwork.language.typed.members import Attribute
from afterwork.language.typed.nodes import (
    Bind,
    Call,
    Choose,
    Compare,
    Follow,
    Invoke,
    Logic,
    May,
    Read,
    Single,
    Typed,
    Variable,
)
from afterwork.language.typed.operator import Columns, Operator, Rows
from afterwork.language.typed.types import CollectionType, ObjectType

MAX_ELEMENTS = 5_000
"""Elements that an expression of SQL may have: what it mentions several times is written out each time."""


class NodeTranslator(Translator):
    """Translates each kind of node."""

    def translated(self, node: Typed) -> Translated:
        """Translate any node, by its type."""
        if isinstance(node.type, CollectionType):
            return self.rows(node)
        return self.entity(node) if isinstance(node.type, ObjectType) else self.term(node)

    # Values

    def term(self, node: Typed) -> Term:
        """Translate a node that is a single value."""
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
                return self.conditional(node, node.condition, node.yes, node.no)
        term = self._common(node)
        if not isinstance(term, Term):
            self.refuse(node, "it is no single value")
        return term

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

    # Objects

    def entity(self, node: Typed) -> Entity | Known:
        """Translate a node that is a single object."""
        if self.is_known(node):
            return Known(self.value(node))
        if isinstance(node, Follow) and not node.member.many:
            source = self.entity(node.source)
            return source if isinstance(source, Known) else source.follow(node.member)
        entity = self._common(node)
        if not isinstance(entity, Entity | Known):
            self.refuse(node, "it is no single object")
        return entity

    # Collections

    def rows(self, node: Typed) -> RowSet:
        """Translate a node that is a collection."""
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
        rows = self._common(node)
        if not isinstance(rows, RowSet):
            self.refuse(node, "it is no collection")
        return rows

    def _known_rows(self, node: Typed) -> RowSet:
        assert isinstance(node.type, CollectionType)
        element = node.type.element
        if not isinstance(element, ObjectType):
            self.refuse(node, "values that are no rows can only be asked for includes and excludes")
        return known_rows(element.cls, self.value(node), node.type.kind)

    # Nodes of any type

    def _common(self, node: Typed) -> Translated:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse(node, "it is too long once let is written out")
        match node:
            case Variable(slot=slot):
                bound = self.variables[slot]
                return self.translated(bound) if isinstance(bound, Typed) else bound
            case Bind():
                return self._bound(node)
            case Call(operator=operator):
                return self._called(node, operator)
            case Invoke() | May():
                self.refuse(node, "methods of the model run in Python")
        return self.refuse(node, "SQL has nothing like it")

    def _bound(self, node: Bind) -> Translated:
        slot = node.variable.slot
        if self.is_known(node.value):
            self.frame[slot] = self.value(node.value)
        else:
            self.variables[slot] = node.value
        return self.translated(node.body)

    def _called(self, node: Call, operator: Operator) -> Translated:
        match operator.sql:
            case Rows(function=function):
                return function(self, node)  # type: ignore[no-any-return]
            case Columns(function=function):
                return self._calculated(function, node)
        return self.refuse(node, f"{operator.name} has no SQL")

    def _calculated(self, function: Callable[..., Column], node: Call) -> Term:
        signature = node.operator.signature
        patterns = [signature.source, *(wanted.pattern for wanted in signature.wanted)]
        columns: list[Column] = []
        for pattern, argument in zip(patterns, node.arguments, strict=True):
            if not self.is_null(argument):
                columns.append(self.column(argument))
            elif pattern.nullable:
                columns.append(no_value(pattern))
            else:  # null is handed through
                return self.parameter(node, None)
        result = function(*columns)
        if next(islice(iterate(result), MAX_ELEMENTS, None), None) is not None:
            self.refuse(node, "it is too long once it is written out")
        return Term(result, node.type, not all(pattern.nullable for pattern in patterns))

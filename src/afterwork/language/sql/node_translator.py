"""Typed tree → SQL, node by node. What can't become SQL is refused with its position."""

from collections.abc import Callable
from itertools import islice

from sqlalchemy import and_, or_
from sqlalchemy.sql.visitors import iterate

from afterwork.language.sql.comparisons import compared
from afterwork.language.sql.dialects import SqlColumn
from afterwork.language.sql.rowset import Entity, KnownObject, RowSet, Term, association_rows, boolean, known_rows
from afterwork.language.sql.single_values import single_row
from afterwork.language.sql.translator import MAX_NODES, Translated, Translator, null_parameter
from afterwork.language.typed import nodes
from afterwork.language.typed.members import AttributeMember
from afterwork.language.typed.nodes import OperatorCall, TypedNode
from afterwork.language.typed.operator import CallTranslation, ColumnTranslation, Operator
from afterwork.language.typed.types import CollectionType, ObjectType

MAX_ELEMENTS = 5_000
"""The most elements of an SQL expression: what it mentions several times is written out each time."""


class NodeTranslator(Translator):
    """Translates each kind of node."""

    def translated(self, node: TypedNode) -> Translated:
        """Translate any node, by its type."""
        if isinstance(node.type, CollectionType):
            return self.rows(node)
        return self.entity(node) if isinstance(node.type, ObjectType) else self.term(node)

    # Values

    def term(self, node: TypedNode) -> Term:
        """Translate a node that is a single value."""
        if self.is_known(node):
            return self.parameter(node, self.value(node))
        match node:
            case nodes.AttributeRead(source=source, member=member):
                return self._attribute(node, self.entity(source), member)
            case nodes.Comparison():
                return boolean(compared(self, node))
            case nodes.LogicalOperation():
                return boolean(self._logic(node))
            case nodes.Conditional():
                return self.conditional(node, node.condition, node.yes, node.no)
        term = self._common(node)
        if not isinstance(term, Term):
            self.refuse(node, "it is no single value")
        return term

    def _attribute(self, node: nodes.AttributeRead, entity: Entity | KnownObject, member: AttributeMember) -> Term:
        if isinstance(entity, KnownObject):  # the object is null: the rest is known, too
            return self.parameter(node, None)
        if member.column_type is None:
            self.refuse(node, f"{member.key} is not in the database")
        column = entity.column(getattr(entity.alias, member.key))
        nullable = member.nullable or entity.nullable or entity.picked is not None
        return Term(column, member.type, nullable, member.column_type, not member.stored_as_is, calculated=False)

    def _logic(self, node: nodes.LogicalOperation) -> SqlColumn:
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

    def entity(self, node: TypedNode) -> Entity | KnownObject:
        """Translate a node that is a single object."""
        if self.is_known(node):
            return KnownObject(self.value(node))
        if isinstance(node, nodes.Navigation) and not node.member.many:
            source = self.entity(node.source)
            return source if isinstance(source, KnownObject) else source.follow(node.member)
        entity = self._common(node)
        if not isinstance(entity, Entity | KnownObject):
            self.refuse(node, "it is no single object")
        return entity

    # Collections

    def rows(self, node: TypedNode) -> RowSet:
        """Translate a node that is a collection."""
        if self.is_known(node):
            return self._known_rows(node)
        if isinstance(node, nodes.AsSet):
            return single_row(self, node)
        if isinstance(node, nodes.Navigation):
            source = self.entity(node.source)
            if isinstance(source, KnownObject):
                self.refuse(node, "its object is null")
            assert isinstance(node.type, CollectionType)
            return association_rows(source, node.member, node.type.kind)
        rows = self._common(node)
        if not isinstance(rows, RowSet):
            self.refuse(node, "it is no collection")
        return rows

    def _known_rows(self, node: TypedNode) -> RowSet:
        assert isinstance(node.type, CollectionType)
        element = node.type.element
        if not isinstance(element, ObjectType):
            self.refuse(node, "values that are no rows can only be asked for includes and excludes")
        return known_rows(element.cls, self.value(node), node.type.kind)

    # Nodes of any type

    def _common(self, node: TypedNode) -> Translated:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            self.refuse(node, "it is too long once let is written out")
        match node:
            case nodes.VariableRead(slot=slot):
                bound = self.variables[slot]
                return self.translated(bound) if isinstance(bound, TypedNode) else bound
            case nodes.LetBinding():
                return self._bound(node)
            case OperatorCall(operator=operator):
                return self._called(node, operator)
            case nodes.MethodCall() | nodes.MayRunMethod():
                self.refuse(node, "methods of the model run in Python")
        return self.refuse(node, "SQL has nothing like it")

    def _bound(self, node: nodes.LetBinding) -> Translated:
        slot = node.variable.slot
        if self.is_known(node.value):
            self.frame[slot] = self.value(node.value)
        else:
            self.variables[slot] = node.value
        return self.translated(node.body)

    def _called(self, node: OperatorCall, operator: Operator) -> Translated:
        match operator.sql:
            case CallTranslation(function=function):
                return function(self, node)  # type: ignore[no-any-return]
            case ColumnTranslation(function=function):
                return self._calculated(function, node)
        return self.refuse(node, f"{operator.name} has no SQL")

    def _calculated(self, function: Callable[..., SqlColumn], node: OperatorCall) -> Term:
        patterns = node.operator.signature.patterns
        columns: list[SqlColumn] = []
        for pattern, argument in zip(patterns, node.arguments, strict=True):
            if not self.is_null(argument):
                columns.append(self.column(argument))
            elif pattern.nullable:
                columns.append(null_parameter(pattern))
            else:  # null is passed through
                return self.parameter(node, None)
        result = function(*columns)
        if next(islice(iterate(result), MAX_ELEMENTS, None), None) is not None:
            self.refuse(node, "it is too long once it is written out")
        return Term(result, node.type, not all(pattern.nullable for pattern in patterns))

"""Checks `:=`: whether its target can be set, and to this value."""

from dataclasses import dataclass

from afterwork.language.check.context import ExpressionContext, VariableScope
from afterwork.language.check.conversions import as_expected_collection
from afterwork.language.syntax import tree
from afterwork.language.typed import types
from afterwork.language.typed.nodes import (
    AssignMember,
    AssignVariable,
    AttributeRead,
    Navigation,
    TypedNode,
    VariableRead,
)
from afterwork.language.typed.types import CollectionType, Type


@dataclass(frozen=True, slots=True)
class AssignmentChecker:
    """Checks the assignments of one text."""

    context: ExpressionContext

    def checked(self, node: tree.Assign, scope: VariableScope) -> TypedNode:
        """Return the assignment of a member, or of a variable of let. Raises `WrongType`."""
        target = self.context.check(node.target, scope)
        match target:
            case AttributeRead(source=source, member=member) | Navigation(source=source, member=member):
                if not member.writable:
                    raise self.context.wrong_type(node.target, f"{member.key} can't be set.")
                return AssignMember(node.at, target.type, source, member, self._value(node, target.type, scope))
            case VariableRead(name=name) if name and name != "self":
                return AssignVariable(node.at, target.type, target, self._value(node, target.type, scope))
            case _:
                raise self.context.wrong_type(node.target, "Only members and variables can be set with :=.")

    def _value(self, node: tree.Assign, expected: Type, scope: VariableScope) -> TypedNode:
        settled = self.context.settled(self.context.check(node.value, scope), expected)
        value = as_expected_collection(settled, expected)
        both_numbers = expected == types.DECIMAL and value.type == types.REAL
        if not (types.conforms(value.type, expected) or both_numbers or _elements_conform(value.type, expected)):
            raise self.context.wrong_type(node.value, f"{expected} is wanted here, and this is {value.type}.")
        return value


def _elements_conform(given: Type, expected: Type) -> bool:
    """Return whether both are collections whose elements fit: an association end takes any kind of collection."""
    if not (isinstance(given, CollectionType) and isinstance(expected, CollectionType)):
        return False
    return types.conforms(given.element, expected.element)

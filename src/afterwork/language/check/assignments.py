"""`:=`: what may be set, and to what."""

from afterwork.language.check.call_resolver import CallResolver, as_expected_collection
from afterwork.language.check.context import CheckContext, VariableScope
from afterwork.language.check.name_resolver import NameResolver
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
from afterwork.language.typed.types import Type


class AssignmentChecker:
    """Checks the assignments of one check."""

    def __init__(self, context: CheckContext, calls: CallResolver, naming: NameResolver) -> None:
        self.context = context
        self.calls = calls
        self.naming = naming

    def assign(self, node: tree.Assign, scope: VariableScope) -> TypedNode:
        """A member or a variable of let that is set."""
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

    def _value(self, node: tree.Assign, wanted: Type, scope: VariableScope) -> TypedNode:
        value = as_expected_collection(self.calls.settled(self.context.check(node.value, scope), wanted), wanted)
        both_numbers = wanted == types.DECIMAL and value.type == types.REAL
        if not (types.conforms(value.type, wanted) or both_numbers or _collections(value.type, wanted)):
            raise self.context.wrong_type(node.value, f"{wanted} is wanted here, and this is {value.type}.")
        return value


def _collections(given: Type, wanted: Type) -> bool:
    """Whether both are collections whose elements fit: which kind is assigned to an end doesn't matter."""
    if not (isinstance(given, types.CollectionType) and isinstance(wanted, types.CollectionType)):
        return False
    return types.conforms(given.element, wanted.element)

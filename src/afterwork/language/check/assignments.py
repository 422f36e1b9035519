"""`:=`: what may be set, and to what."""

from afterwork.language.check.call_resolver import Calls, collected_if
from afterwork.language.check.context import Context, Scope
from afterwork.language.check.name_resolver import Naming
from afterwork.language.syntax import tree
from afterwork.language.typed import types
from afterwork.language.typed.nodes import Follow, Read, SetMember, SetVariable, Typed, Variable
from afterwork.language.typed.types import Type


class Assigning:
    """Checks the assignments of one check."""

    def __init__(self, context: Context, calls: Calls, naming: Naming) -> None:
        self.context = context
        self.calls = calls
        self.naming = naming

    def assign(self, node: tree.Assign, scope: Scope) -> Typed:
        """A member or a variable of let that is set."""
        target = self.context.check(node.target, scope)
        match target:
            case Read(source=source, member=member) | Follow(source=source, member=member):
                if not member.writable:
                    raise self.context.wrong(node.target, f"{member.key} can't be set.")
                return SetMember(node.at, target.type, source, member, self._value(node, target.type, scope))
            case Variable(name=name) if name and name != "self":
                return SetVariable(node.at, target.type, target, self._value(node, target.type, scope))
            case _:
                raise self.context.wrong(node.target, "Only members and variables can be set with :=.")

    def _value(self, node: tree.Assign, wanted: Type, scope: Scope) -> Typed:
        value = collected_if(self.calls.settled(self.context.check(node.value, scope), wanted), wanted)
        both_numbers = wanted == types.DECIMAL and value.type == types.REAL
        if not (types.conforms(value.type, wanted) or both_numbers or _collections(value.type, wanted)):
            raise self.context.wrong(node.value, f"{wanted} is wanted here, and this is {value.type}.")
        return value


def _collections(given: Type, wanted: Type) -> bool:
    """Whether both are collections whose elements fit: which kind is assigned to an end doesn't matter."""
    if not (isinstance(given, types.CollectionType) and isinstance(wanted, types.CollectionType)):
        return False
    return types.conforms(given.element, wanted.element)

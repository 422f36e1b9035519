"""What an expression means in one model: a tree whose nodes know their types, members and operators.

It is what gets compiled, and what becomes SQL. Shorthand has been written out: an implicit `self` is there, an
implicit collect is a call of `collect`, a word is a variable, a member or a class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from afterwork.language.syntax.tree import TextRange
from afterwork.language.typed.members import AssociationEnd, AttributeMember
from afterwork.language.typed.names import ModelMethod
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.types import Type


@dataclass(frozen=True, slots=True)
class TypedNode:
    """The base of all typed nodes."""

    at: TextRange
    type: Type


@dataclass(frozen=True, slots=True)
class TypedConstant(TypedNode):
    """A value that is known beforehand. For a `TypeOf`, the type or the mapped class that it is."""

    value: object


@dataclass(frozen=True, slots=True)
class VariableRead(TypedNode):
    """`slot` is its place in the frame of a run."""

    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class AttributeRead(TypedNode):
    """An attribute of an object; of null, null."""

    source: TypedNode
    member: AttributeMember


@dataclass(frozen=True, slots=True)
class Navigation(TypedNode):
    """An association end of an object; of null, null or an empty collection."""

    source: TypedNode
    member: AssociationEnd


@dataclass(frozen=True, slots=True)
class TypedLambda(TypedNode):
    """Its type is that of its body."""

    variables: tuple[VariableRead, ...]
    body: TypedNode


@dataclass(frozen=True, slots=True)
class OperatorCall(TypedNode):
    """An operator with its operands, the source first."""

    operator: Operator
    arguments: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class Fold(TypedNode):
    """`source->iterate(element; result = first | body)`."""

    source: TypedNode
    element: VariableRead
    result: VariableRead
    first: TypedNode
    body: TypedNode


@dataclass(frozen=True, slots=True)
class Comparison(TypedNode):
    """`=`, `<>`, `<`, `>`, `<=` or `>=`. Never null."""

    operator: str
    left: TypedNode
    right: TypedNode


@dataclass(frozen=True, slots=True)
class LogicalOperation(TypedNode):
    """`and`, `or`, `xor` or `implies`. Null counts as false; the right side is asked for only where it matters."""

    operator: str
    left: TypedNode
    right: TypedNode


@dataclass(frozen=True, slots=True)
class Conditional(TypedNode):
    """`if … then … else … endif`."""

    condition: TypedNode
    yes: TypedNode
    no: TypedNode


@dataclass(frozen=True, slots=True)
class LetBinding(TypedNode):
    """`let variable = value in body`."""

    variable: VariableRead
    value: TypedNode
    body: TypedNode


@dataclass(frozen=True, slots=True)
class IntegerRange(TypedNode):
    """`first..last` within a collection; its type is that of its numbers."""

    first: TypedNode
    last: TypedNode


@dataclass(frozen=True, slots=True)
class CollectionConstruction(TypedNode):
    """A collection of what is listed. Nulls are left out, collections in it are flattened."""

    items: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class TupleConstruction(TypedNode):
    """A tuple; the names of its parts are in its type."""

    parts: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class TuplePart(TypedNode):
    """One part of a tuple."""

    source: TypedNode
    index: int


@dataclass(frozen=True, slots=True)
class AsSet(TypedNode):
    """A value as a Set of itself, or of nothing if it is null: what `->` makes of what is no collection."""

    source: TypedNode


@dataclass(frozen=True, slots=True)
class MethodCall(TypedNode):
    """A method of the model."""

    source: TypedNode
    method: ModelMethod
    arguments: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class MayRunMethod(TypedNode):
    """Whether a method of the model may run now."""

    source: TypedNode
    method: ModelMethod


@dataclass(frozen=True, slots=True)
class AssignMember(TypedNode):
    """`source.member := value`."""

    source: TypedNode
    member: AttributeMember | AssociationEnd
    value: TypedNode


@dataclass(frozen=True, slots=True)
class AssignVariable(TypedNode):
    """`variable := value`."""

    variable: VariableRead
    value: TypedNode


@dataclass(frozen=True, slots=True)
class TypedBlock(TypedNode):
    """Statements, one after the other."""

    statements: tuple[TypedNode, ...]


def children(node: TypedNode) -> Iterator[TypedNode]:
    """The nodes right below a node, from left to right."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, TypedNode):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, TypedNode))


def walk(node: TypedNode) -> Iterator[TypedNode]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(children(found))


def first_effect(node: TypedNode) -> TypedNode | None:
    """A node that would change something, or None: the one that stands first in the text."""
    changing = [found for found in walk(node) if _changes(found)]
    return min(changing, key=lambda found: found.at.start, default=None)


def _changes(node: TypedNode) -> bool:
    match node:
        case AssignMember() | AssignVariable():
            return True
        case OperatorCall(operator=operator):
            return operator.effects
        case MethodCall(method=method):
            return method.effects
    return False

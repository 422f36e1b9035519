"""The typed tree: the meaning of an expression in one model. Its nodes know their types, members and operators.

It is compiled to closures, or translated to SQL. Shorthand is written out: an implicit `self` is explicit, an implicit
collect is a call of `collect`, and a word is a variable, a member or a class.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from afterwork.language.syntax.tree import Node, children
from afterwork.language.typed.members import AssociationEnd, AttributeMember
from afterwork.language.typed.methods import MethodSignature, ModelMethod
from afterwork.language.typed.names import Names
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.types import ObjectType, Type

SELF_SLOT = 1
"""The slot of `self` in a frame; slot 0 holds the evaluation."""


@dataclass(frozen=True, slots=True)
class TypedNode(Node):
    """The base of all typed nodes."""

    type: Type


@dataclass(frozen=True, slots=True)
class TypedConstant(TypedNode):
    """A constant. For a `TypeOf`, its value is the type, or the mapped class."""

    value: object


@dataclass(frozen=True, slots=True)
class VariableRead(TypedNode):
    """A use of a variable. `slot` is its index in the frame of an evaluation."""

    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class AttributeRead(TypedNode):
    """The value of an attribute of an object; null for null."""

    source: TypedNode
    member: AttributeMember


@dataclass(frozen=True, slots=True)
class Navigation(TypedNode):
    """The objects at an association end of an object; for null, null or an empty collection."""

    source: TypedNode
    member: AssociationEnd


@dataclass(frozen=True, slots=True)
class TypedLambda(TypedNode):
    """A lambda, which has the type of its body."""

    variables: tuple[VariableRead, ...]
    body: TypedNode


@dataclass(frozen=True, slots=True)
class OperatorCall(TypedNode):
    """A call of an operator with its operands, the source first."""

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
    """`and`, `or`, `xor` or `implies`. Null counts as false; the right side is evaluated only if it matters."""

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
    """`first..last` within a collection; its type is the type of its numbers."""

    first: TypedNode
    last: TypedNode


@dataclass(frozen=True, slots=True)
class CollectionConstruction(TypedNode):
    """A collection of the listed items. Nulls are left out, collections in it are flattened."""

    items: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class TupleConstruction(TypedNode):
    """A tuple; its type has the names of its parts."""

    parts: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class TuplePart(TypedNode):
    """One part of a tuple."""

    source: TypedNode
    index: int


@dataclass(frozen=True, slots=True)
class AsSet(TypedNode):
    """A single value before `->`: a Set of itself, or an empty Set if it is null."""

    source: TypedNode


@dataclass(frozen=True, slots=True)
class MethodCall(TypedNode):
    """A call of a method of the model. The source of a static one is its class."""

    source: TypedNode
    method: ModelMethod
    signature: MethodSignature
    arguments: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class MayRunMethod(TypedNode):
    """The question whether a method of the model may run now."""

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
    """Statements that run one after the other."""

    statements: tuple[TypedNode, ...]


@dataclass(frozen=True, slots=True)
class TypedExpression:
    """A checked expression, which means something in a model. An evaluation needs a frame of `slots` slots."""

    text: str
    tree: TypedNode
    names: Names
    self_type: ObjectType | None
    variables: Mapping[str, VariableRead]
    slots: int


def walk(node: TypedNode) -> Iterator[TypedNode]:
    """Yield a node and all its descendants."""
    pending: list[Any] = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(children(current))


def first_effect(node: TypedNode) -> TypedNode | None:
    """Return the first node in the text that would change something; None if there is none."""
    effects = filter(_changes, walk(node))
    return min(effects, key=lambda effect: effect.at.start, default=None)


def _changes(node: TypedNode) -> bool:
    match node:
        case AssignMember() | AssignVariable():
            return True
        case OperatorCall(operator=operator):
            return operator.effects
        case MethodCall(signature=signature):
            return signature.has_effects
    return False

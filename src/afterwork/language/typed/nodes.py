"""What an expression means in one model: a tree whose nodes know their types, members and operators.

It is what gets compiled, and what becomes SQL. Shorthand has been written out: an implicit `self` is there, an
implicit collect is a call of `collect`, a word is a variable, a member or a class.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from afterwork.language.syntax.tree import Place
from afterwork.language.typed.members import Attribute, End
from afterwork.language.typed.names import ModelMethod
from afterwork.language.typed.operator import Operator
from afterwork.language.typed.types import Type


@dataclass(frozen=True, slots=True)
class Typed:
    """The base of all typed nodes."""

    at: Place
    type: Type


@dataclass(frozen=True, slots=True)
class Constant(Typed):
    """A value that is known beforehand. For a `TypeOf`, the type or the mapped class that it is."""

    value: object


@dataclass(frozen=True, slots=True)
class Variable(Typed):
    """`slot` is its place in the frame of a run."""

    name: str
    slot: int


@dataclass(frozen=True, slots=True)
class Read(Typed):
    """An attribute of an object; of null, null."""

    source: Typed
    member: Attribute


@dataclass(frozen=True, slots=True)
class Follow(Typed):
    """An association end of an object; of null, null or an empty collection."""

    source: Typed
    member: End


@dataclass(frozen=True, slots=True)
class Lambda(Typed):
    """Its type is that of its body."""

    variables: tuple[Variable, ...]
    body: Typed


@dataclass(frozen=True, slots=True)
class Call(Typed):
    """An operator with its operands, the source first."""

    operator: Operator
    arguments: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class Fold(Typed):
    """`source->iterate(element; result = first | body)`."""

    source: Typed
    element: Variable
    result: Variable
    first: Typed
    body: Typed


@dataclass(frozen=True, slots=True)
class Compare(Typed):
    """`=`, `<>`, `<`, `>`, `<=` or `>=`. Never null."""

    operator: str
    left: Typed
    right: Typed


@dataclass(frozen=True, slots=True)
class Logic(Typed):
    """`and`, `or`, `xor` or `implies`. Null counts as false; the right side is asked for only where it matters."""

    operator: str
    left: Typed
    right: Typed


@dataclass(frozen=True, slots=True)
class Choose(Typed):
    """`if … then … else … endif`."""

    condition: Typed
    yes: Typed
    no: Typed


@dataclass(frozen=True, slots=True)
class Bind(Typed):
    """`let variable = value in body`."""

    variable: Variable
    value: Typed
    body: Typed


@dataclass(frozen=True, slots=True)
class Span(Typed):
    """`first..last` within a collection; its type is that of its numbers."""

    first: Typed
    last: Typed


@dataclass(frozen=True, slots=True)
class Collection(Typed):
    """A collection of what is listed. Nulls are left out, collections in it are flattened."""

    items: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class MakeTuple(Typed):
    """A tuple; the names of its parts are in its type."""

    parts: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class Part(Typed):
    """One part of a tuple."""

    source: Typed
    index: int


@dataclass(frozen=True, slots=True)
class Single(Typed):
    """A value as a Set of itself, or of nothing if it is null: what `->` makes of what is no collection."""

    source: Typed


@dataclass(frozen=True, slots=True)
class Invoke(Typed):
    """A method of the model."""

    source: Typed
    method: ModelMethod
    arguments: tuple[Typed, ...]


@dataclass(frozen=True, slots=True)
class May(Typed):
    """Whether a method of the model may run now."""

    source: Typed
    method: ModelMethod


@dataclass(frozen=True, slots=True)
class SetMember(Typed):
    """`source.member := value`."""

    source: Typed
    member: Attribute | End
    value: Typed


@dataclass(frozen=True, slots=True)
class SetVariable(Typed):
    """`variable := value`."""

    variable: Variable
    value: Typed


@dataclass(frozen=True, slots=True)
class Steps(Typed):
    """Statements, one after the other."""

    statements: tuple[Typed, ...]


def children(node: Typed) -> Iterator[Typed]:
    """The nodes right below a node, from left to right."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, Typed):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Typed))


def walk(node: Typed) -> Iterator[Typed]:
    """A node and all below it."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(children(found))


def effect_in(node: Typed) -> Typed | None:
    """A node that would change something, or None: the one that stands first in the text."""
    changing = [found for found in walk(node) if _changes(found)]
    return min(changing, key=lambda found: found.at.start, default=None)


def _changes(node: Typed) -> bool:
    match node:
        case SetMember() | SetVariable():
            return True
        case Call(operator=operator):
            return operator.effects
        case Invoke(method=method):
            return method.effects
    return False

"""What an expression says, before anything is known of the model: a tree of frozen nodes, each with its place."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TextRange:
    """Where a node stands in its text: from `start` up to, and without, `end`; characters, from 0."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Node:
    """The base of all nodes."""

    at: TextRange


LiteralValue = None | bool | int | Decimal | float | str | date | datetime | time | timedelta


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """`1`, `2.5`, `'text'`, `true`, `null`."""

    value: LiteralValue


@dataclass(frozen=True, slots=True)
class Label(Node):
    """`#Name` or `#Machine.State`: a member of an enumeration, or a state."""

    name: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A word on its own: a variable, a member of self or of the element at hand, or a class."""

    name: str


@dataclass(frozen=True, slots=True)
class Dot(Node):
    """`source.name` or `source.name(arguments)`; without a source: `name(arguments)`."""

    source: Node | None
    name: str
    arguments: "tuple[Node, ...] | None"


@dataclass(frozen=True, slots=True)
class PathName(Node):
    """`Type::name` or `Type::name(arguments)`."""

    source: Node
    name: str
    arguments: "tuple[Node, ...] | None"


@dataclass(frozen=True, slots=True)
class Arrow(Node):
    """`source->name` or `source->name(arguments)`."""

    source: Node
    name: str
    arguments: "tuple[Node, ...] | None"


@dataclass(frozen=True, slots=True)
class MayRun(Node):
    """`source.Method?`: whether a method may run now. After the name of a type: that type, or null."""

    operand: Node


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """`Customer`, `String?`, `Collection(Order)`."""

    name: str
    element: "TypeName | None"


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A variable of a lambda or of `let`, with its declared type and first value where they are given."""

    name: str
    declared: TypeName | None
    value: Node | None


@dataclass(frozen=True, slots=True)
class Lambda(Node):
    """`a, b | body` between the brackets of a call."""

    parameters: tuple[Parameter, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`not x` or `-x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """`left operator right`; `operator` in lower case."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class If(Node):
    """`if condition then yes else no endif`. `no` is None where there is no else."""

    condition: Node
    yes: Node
    no: Node | None


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let a = …, b = … in body`."""

    variables: tuple[Parameter, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Range(Node):
    """`1..9` within a collection."""

    first: Node
    last: Node


@dataclass(frozen=True, slots=True)
class CollectionLiteral(Node):
    """`Set{1, 2..5}`; `kind` as it is written."""

    kind: str
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class TupleLiteral(Node):
    """`Tuple{name = 'x', total = 1}`."""

    parts: tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class Assign(Node):
    """`target := value`."""

    target: Node
    value: Node


@dataclass(frozen=True, slots=True)
class Block(Node):
    """Statements between `;`. Its value is that of the last."""

    statements: tuple[Node, ...]


def children(node: Node) -> Iterator[Node]:
    """The nodes right below a node, from left to right."""
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def depth(node: Node) -> int:
    """How many nodes lie on the longest way down. Takes no more of the stack for a deep tree."""
    found, level = 0, [node]
    while level:
        found += 1
        level = [child for parent in level for child in children(parent)]
    return found

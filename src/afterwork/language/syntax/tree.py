"""The syntax tree: frozen nodes that know where they stand in the text, but nothing of the model."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class TextRange:
    """The characters of a text that a node spans, from `start` up to but excluding `end`, counted from 0."""

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
    """A word on its own: a variable, a member of self or of the current element, or a class."""

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
    """The question `source.Method?`, whether a method may run now. After the name of a type: that type, or null."""

    operand: Node


@dataclass(frozen=True, slots=True)
class TypeName(Node):
    """`Customer`, `String?`, `Collection(Order)`."""

    name: str
    element: "TypeName | None"


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A variable of a lambda or of `let`, with its declared type and its first value if given."""

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
    """Statements between `;`, with the value of the last."""

    statements: tuple[Node, ...]


def children(node: Node) -> Iterator[Node]:
    """Yield the children of a node, from left to right."""
    for child_field in fields(node):
        value = getattr(node, child_field.name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple):
            yield from (item for item in value if isinstance(item, Node))


def depth(node: Node) -> int:
    """Return the number of nodes on the longest way from a node to a leaf. Takes no stack for a deep tree."""
    depth_so_far, level = 0, [node]
    while level:
        depth_so_far += 1
        level = [child for parent in level for child in children(parent)]
    return depth_so_far

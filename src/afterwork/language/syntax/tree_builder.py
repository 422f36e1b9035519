"""The parser's raw tree → the nodes of `tree.py`."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from lark import Token, v_args
from lark.visitors import Transformer_NonRecursive

from afterwork.errors import BadSyntax
from afterwork.language.syntax import tree
from afterwork.language.syntax.precedence import (
    ASSIGN,
    PRECEDENCES,
    Dialect,
    DialectDifference,
    dialects_agree,
    join_chain,
)
from afterwork.language.syntax.tree import Node, Parameter, TextRange, TypeName

Build = Callable[[object, Any, list[Any]], Node]
"""A method of the builder: makes the node of a rule from its position and its parts."""

MAX_NUMBER_DIGITS = 18
"""The most digits of a number: this many fit into the whole numbers of every database."""

ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class _InfixOperator:
    at: TextRange
    operator: str


@dataclass(frozen=True, slots=True)
class _Argument(Node):
    """An argument between the brackets of a call, before the parser knows if a `|` follows."""

    node: Node
    declared: TypeName | None
    value: Node | None


def _after_source(kind: type[tree.Dot | tree.PathName | tree.Arrow]) -> Build:
    """Return the method for a name after a source, with arguments if it is a call."""

    def build(self: object, meta: Any, parts: list[Any]) -> Node:
        source, name, *arguments = parts
        return kind(text_range(meta), source, str(name), (arguments[0] or ()) if arguments else None)

    return build


def _constant(value: bool | None) -> Build:
    return lambda self, meta, parts: tree.Literal(text_range(meta), value)


@v_args(meta=True)
class TreeBuilder(Transformer_NonRecursive[Token, Any]):
    """Builds the tree, with one method for each rule of `grammar.lark`, and without recursion."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        super().__init__(visit_tokens=False)
        self.text = text
        self.precedence = PRECEDENCES[dialect]
        self.warnings: list[DialectDifference] = []

    def start(self, meta: Any, parts: list[Any]) -> Node:
        return parts[0]  # type: ignore[no-any-return]

    def block(self, meta: Any, parts: list[Any]) -> Node:
        return parts[0] if len(parts) == 1 else tree.Block(text_range(meta), tuple(parts))

    bracketed = start

    # Infix and prefix

    def chain(self, meta: Any, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        operands: list[Node] = parts[::2]
        infixes: list[_InfixOperator] = parts[1::2]
        operators = [infix.operator for infix in infixes]
        if not dialects_agree(operators):
            self.warnings.append(DialectDifference(text_range(meta), _difference_message(operators)))
        return join_chain(
            operands, operators, self.precedence, lambda index, left, right: _infix_node(operators[index], left, right)
        )

    def infix(self, meta: Any, parts: list[Any]) -> _InfixOperator:
        return _InfixOperator(text_range(meta), parts[0].lower())

    def prefix(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Unary(text_range(meta), parts[0].lower(), parts[1])

    # After a source

    dot = dot_call = _after_source(tree.Dot)
    path = path_call = _after_source(tree.PathName)
    arrow = arrow_call = _after_source(tree.Arrow)

    def may_run(self, meta: Any, parts: list[Any]) -> Node:
        return tree.MayRun(text_range(meta), parts[0])

    # Words and literals

    def name(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Name(text_range(meta), str(parts[0]))

    def call(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Dot(text_range(meta), None, str(parts[0]), parts[1] or ())

    def number(self, meta: Any, parts: list[Any]) -> Node:
        digits = str(parts[0])
        if len(digits) > MAX_NUMBER_DIGITS:
            raise BadSyntax(
                self.text, meta.start_pos, f"A number has at most {MAX_NUMBER_DIGITS} digits.", end=meta.end_pos
            )
        return tree.Literal(text_range(meta), int(digits) if digits.isdigit() else Decimal(digits))

    def string(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Literal(text_range(meta), unescaped(str(parts[0])[1:-1]))

    true, false, null = map(_constant, (True, False, None))

    def label(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Label(text_range(meta), str(parts[0])[1:])

    def braces(self, meta: Any, parts: list[Any]) -> Node:
        kind, items = str(parts[0]), parts[1] or ()
        if kind.lower() == "tuple":
            return tree.TupleLiteral(text_range(meta), tuple(self._part(item) for item in items))
        for item in items:
            if isinstance(item, Parameter):
                raise self._error(item, f"Only a Tuple has named parts, not a {kind}.")
        return tree.CollectionLiteral(text_range(meta), kind, items)

    def items(self, meta: Any, parts: list[Any]) -> tuple[Node, ...]:
        return tuple(parts)

    item = start

    def range(self, meta: Any, parts: list[Any]) -> Node:
        return tree.Range(text_range(meta), parts[0], parts[1])

    def part(self, meta: Any, parts: list[Any]) -> Parameter:
        return Parameter(text_range(meta), str(parts[0]), parts[1], parts[2])

    def _part(self, item: Node) -> Parameter:
        match item:
            case Parameter():
                return item
            case tree.Binary(at=at, operator="=", left=tree.Name(name=name), right=value):
                return Parameter(at, name, None, value)
            case _:
                raise self._error(item, "A part of a Tuple is written as: name = value.")

    # let, if

    def let(self, meta: Any, parts: list[Any]) -> Node:
        variables = tuple(part for part in parts if isinstance(part, Parameter))
        return tree.Let(text_range(meta), variables, parts[-1])

    variable = part

    def if_(self, meta: Any, parts: list[Any]) -> Node:
        nodes = [part for part in parts if not isinstance(part, Token)]
        return tree.If(text_range(meta), nodes[0], nodes[1], nodes[2])

    def type(self, meta: Any, parts: list[Any]) -> TypeName:
        return TypeName(text_range(meta), str(parts[0]), parts[1])

    # The brackets of a call

    def argument(self, meta: Any, parts: list[Any]) -> _Argument:
        return _Argument(text_range(meta), parts[0], parts[1], parts[2])

    def body(self, meta: Any, parts: list[Any]) -> Node:
        if len(parts) == 1:
            return parts[0]  # type: ignore[no-any-return]
        names = unique_names([_last_word(part, index) for index, part in enumerate(parts)])
        named = zip(names, parts, strict=True)
        return tree.TupleLiteral(text_range(meta), tuple(Parameter(part.at, name, None, part) for name, part in named))

    def arguments(self, meta: Any, parts: list[Any]) -> tuple[Node, ...]:
        *given, body = parts
        if body is not None:
            parameters = tuple(parameter for argument in given for parameter in self._parameters(argument))
            return (tree.Lambda(text_range(meta), parameters, body),)
        for argument in given:
            if argument.declared is not None:
                raise self._error(argument.declared, "A type is named before | only, where variables are.")
        return tuple(argument.node for argument in given)

    def _parameters(self, argument: _Argument) -> list[Parameter]:
        """Return the parameters of `a`, `a : Order`, or `element; result : Integer = 0`."""
        statements = argument.node.statements if isinstance(argument.node, tree.Block) else (argument.node,)
        for statement in statements:
            if not isinstance(statement, tree.Name):
                raise self._error(statement, "Before | stand the names of variables.")
        names = [statement for statement in statements if isinstance(statement, tree.Name)]
        first = [Parameter(name.at, name.name, None, None) for name in names[:-1]]
        return [*first, Parameter(argument.at, names[-1].name, argument.declared, argument.value)]

    def _error(self, node: Node, problem: str) -> BadSyntax:
        return BadSyntax(self.text, node.at.start, problem, end=node.at.end)


def text_range(meta: Any) -> TextRange:
    """Return the characters that a rule of the grammar spans."""
    return TextRange(meta.start_pos, meta.end_pos)


def unescaped(inside: str) -> str:
    """Return the text that stands between quotes, with its escapes resolved."""
    return re.sub(r"\\([\s\S])", lambda escape: ESCAPES.get(escape[1], escape[1]), inside)


def unique_names(names: Sequence[str]) -> list[str]:
    """Return unique names for the parts of a tuple, numbered where one occurs twice."""
    return [name if name not in names[:index] else f"{name}{index + 1}" for index, name in enumerate(names)]


def _infix_node(operator: str, left: Node, right: Node) -> Node:
    at = TextRange(left.at.start, right.at.end)
    return tree.Assign(at, left, right) if operator == ASSIGN else tree.Binary(at, operator, left, right)


def _last_word(node: Node, index: int) -> str:
    return node.name if isinstance(node, tree.Name | tree.Dot | tree.PathName | tree.Arrow) else f"part{index + 1}"


def _difference_message(operators: Sequence[str]) -> str:
    shown = " … ".join(operators)
    return (
        f"Standard OCL reads this differently ({shown}): here comparisons bind weaker than and, or, xor and implies. "
        "Put comparisons into brackets, or ask for dialect='omg'."
    )

"""The library lark at work: text → its raw tree → ours. Only this file and `tree_builder` load it."""

import functools
from collections.abc import Sequence
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from afterwork.errors import BadSyntax, shown
from afterwork.language.syntax.precedence import Dialect, DialectDifference
from afterwork.language.syntax.tree import Node
from afterwork.language.syntax.tree_builder import TreeBuilder


def read(text: str, dialect: Dialect) -> tuple[Node, tuple[DialectDifference, ...]]:
    """Return the tree of a text, and the parts that another dialect reads differently. Raises `BadSyntax`."""
    builder = TreeBuilder(text, dialect)
    return _build(builder, _parse(text)), tuple(builder.warnings)


def _build(builder: TreeBuilder, raw: Tree[Token]) -> Node:
    try:
        return builder.transform(raw)  # type: ignore[no-any-return]
    except VisitError as error:
        raise error.orig_exc from None


@functools.cache
def _parser() -> Lark:
    grammar = files("afterwork.language.syntax").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _parse(text: str) -> Tree[Token]:
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(text, error) from None


def _syntax_error(text: str, error: UnexpectedInput) -> BadSyntax:
    position = error.pos_in_stream or 0
    match error:
        case UnexpectedToken(token=token):
            return _unexpected_token(text, token, _expectation(error.accepts or error.expected))
        case UnexpectedCharacters() if text[position] == "'":
            problem = "The text that begins here has no end. It ends with ', and \\' is a quote in it."
            return BadSyntax(text, position, problem)
    return BadSyntax(text, position, f"{shown(text[position : position + 1])} means nothing here.")


def _unexpected_token(text: str, token: Token, expected: str) -> BadSyntax:
    if token.type == "$END":
        return BadSyntax(text, len(text.rstrip()), f"It ends too early; {expected}.")
    start = token.start_pos or 0
    return BadSyntax(text, start, f"{shown(str(token))} can't stand here; {expected}.", end=start + len(token))


TERMINALS_IN_WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text",
    "LABEL": "#Name",
    "RPAR": ")",
    "RBRACE": "}",
    "COMMA": ",",
    "COLON": ":",
    "EQUAL": "=",
    "IN": "in",
    "THEN": "then",
    "ELSE": "else",
    "ENDIF": "endif",
    "SEMICOLON": ";",
    "LPAR": "(",
}
EXPRESSION_TERMINAL = "NUMBER"


def _expectation(terminals: Sequence[str] | set[str]) -> str:
    """Say what may stand at a position; the many terminals that begin an expression count as one."""
    names = set(terminals)
    if EXPRESSION_TERMINAL in names:
        return "an expression belongs here"
    if "PLUS" in names:
        return "expected an operator or the end"
    words = [word for name, word in TERMINALS_IN_WORDS.items() if name in names]
    return f"expected {' or '.join(words[:4])}" if words else "expected its end"

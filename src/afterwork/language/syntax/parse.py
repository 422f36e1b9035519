"""Text → tree. Fails only with `BadSyntax`, whatever the text, in time that its length bounds."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from afterwork.errors import BadSyntax, shown
from afterwork.language.syntax.precedence import Dialect
from afterwork.language.syntax.tree import Node, depth
from afterwork.language.syntax.tree_builder import DialectDifference, TreeBuilder

MAX_TEXT_LENGTH = 20_000
"""Characters that a text may have."""

MAX_DEPTH = 100
"""Nodes that may lie within each other."""


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text with its tree, and what it might mean elsewhere."""

    text: str
    tree: Node
    warnings: tuple[DialectDifference, ...]


@functools.lru_cache(maxsize=4096)
def parse(text: str, dialect: Dialect = "original") -> ParsedText:
    """The tree of an expression, or of the statements of an action. Trees are kept, so a text is read once.

    `dialect="omg"` reads it with the precedence of the OCL 2.4 standard; the original's is another (see
    `precedence.py`), and `warnings` has the places where the two differ. Raises `BadSyntax`.
    """
    _check_length(text)
    builder = TreeBuilder(text, dialect)
    tree = _build(builder, _parse(text))
    if depth(tree) > MAX_DEPTH:
        raise BadSyntax(text, 0, f"It is nested too deeply: more than {MAX_DEPTH} levels. Name parts of it with let.")
    return ParsedText(text, tree, tuple(builder.warnings))


def _build(builder: TreeBuilder, found: Tree[Token]) -> Node:
    try:
        return builder.transform(found)  # type: ignore[no-any-return]
    except VisitError as error:
        raise error.orig_exc from None


def _check_length(text: str) -> None:
    if len(text) > MAX_TEXT_LENGTH:
        raise BadSyntax(
            text, MAX_TEXT_LENGTH, f"It is too long: {len(text):,} characters, {MAX_TEXT_LENGTH:,} are allowed."
        )


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
    place = error.pos_in_stream or 0
    match error:
        case UnexpectedToken(token=token):
            return _unexpected_token(text, token, _expectation(error.accepts or error.expected))
        case UnexpectedCharacters() if text[place] == "'":
            problem = "The text that begins here has no end. It ends with ', and \\' is a quote in it."
            return BadSyntax(text, place, problem)
    return BadSyntax(text, place, f"{shown(text[place : place + 1])} means nothing here.")


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
    """What may stand at a place, in words: the many things that may begin an expression as one."""
    names = set(terminals)
    if EXPRESSION_TERMINAL in names:
        return "an expression belongs here"
    if "PLUS" in names:
        return "expected an operator or the end"
    words = [shown_as for name, shown_as in TERMINALS_IN_WORDS.items() if name in names]
    return f"expected {' or '.join(words[:4])}" if words else "expected its end"

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
from afterwork.language.syntax.tree_builder import Builder, Difference

LONGEST = 20_000
"""Characters that a text may have."""

DEEPEST = 100
"""Nodes that may lie within each other."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """A text with its tree, and what it might mean elsewhere."""

    text: str
    tree: Node
    warnings: tuple[Difference, ...]


@functools.lru_cache(maxsize=4096)
def parse(text: str, dialect: Dialect = "original") -> Parsed:
    """The tree of an expression, or of the statements of an action. Trees are kept, so a text is read once.

    `dialect="omg"` reads it with the precedence of the OCL 2.4 standard; the original's is another (see
    `precedence.py`), and `warnings` has the places where the two differ. Raises `BadSyntax`.
    """
    _check_length(text)
    builder = Builder(text, dialect)
    tree = _built(builder, _raw(text))
    if depth(tree) > DEEPEST:
        raise BadSyntax(text, 0, f"It is nested too deeply: more than {DEEPEST} levels. Name parts of it with let.")
    return Parsed(text, tree, tuple(builder.warnings))


def _built(builder: Builder, found: Tree[Token]) -> Node:
    try:
        return builder.transform(found)  # type: ignore[no-any-return]
    except VisitError as error:
        raise error.orig_exc from None


def _check_length(text: str) -> None:
    if len(text) > LONGEST:
        raise BadSyntax(text, LONGEST, f"It is too long: {len(text):,} characters, {LONGEST:,} are allowed.")


@functools.cache
def _parser() -> Lark:
    grammar = files("afterwork.language.syntax").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", propagate_positions=True, maybe_placeholders=True)


def _raw(text: str) -> Tree[Token]:
    try:
        return _parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(text, error) from None


def _explained(text: str, error: UnexpectedInput) -> BadSyntax:
    place = error.pos_in_stream or 0
    match error:
        case UnexpectedToken(token=token):
            return _unexpected(text, token, _expected(error.accepts or error.expected))
        case UnexpectedCharacters() if text[place] == "'":
            problem = "The text that begins here has no end. It ends with ', and \\' is a quote in it."
            return BadSyntax(text, place, problem)
    return BadSyntax(text, place, f"{shown(text[place : place + 1])} means nothing here.")


def _unexpected(text: str, token: Token, expected: str) -> BadSyntax:
    if token.type == "$END":
        return BadSyntax(text, len(text.rstrip()), f"It ends too early; {expected}.")
    start = token.start_pos or 0
    return BadSyntax(text, start, f"{shown(str(token))} can't stand here; {expected}.", end=start + len(token))


SHOWN_AS = {
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
BEGINS_EXPRESSION = "NUMBER"


def _expected(terminals: Sequence[str] | set[str]) -> str:
    """What may stand at a place, in words: the many things that may begin an expression as one."""
    names = set(terminals)
    if BEGINS_EXPRESSION in names:
        return "an expression belongs here"
    if "PLUS" in names:
        return "expected an operator or the end"
    words = [shown_as for name, shown_as in SHOWN_AS.items() if name in names]
    return f"expected {' or '.join(words[:4])}" if words else "expected its end"

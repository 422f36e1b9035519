"""Text → tree. Any text either parses or raises `BadSyntax`, in time bounded by its length."""

import functools
from dataclasses import dataclass

from afterwork.errors import BadSyntax
from afterwork.language.syntax.precedence import Dialect, DialectDifference
from afterwork.language.syntax.tree import Node, depth

MAX_TEXT_LENGTH = 20_000
"""The most characters of a text."""

MAX_DEPTH = 100
"""The most nodes on the way from the root of a tree to a leaf."""


@dataclass(frozen=True, slots=True)
class ParsedText:
    """A text with its tree, and warnings where another dialect reads it differently."""

    text: str
    tree: Node
    warnings: tuple[DialectDifference, ...]


@functools.lru_cache(maxsize=4096)
def parse(text: str, dialect: Dialect = "original") -> ParsedText:
    """Return the tree of an expression, or of the statements of an action. Trees are cached.

    `dialect="omg"` applies the precedence of the OCL 2.4 standard, which differs from the original's (see
    `precedence.py`); `warnings` lists the parts that the two read differently. Raises `BadSyntax`.
    """
    if len(text) > MAX_TEXT_LENGTH:
        problem = f"It is too long: {len(text):,} characters, {MAX_TEXT_LENGTH:,} are allowed."
        raise BadSyntax(text, MAX_TEXT_LENGTH, problem)
    from afterwork.language.syntax.reader import read  # it needs lark, which whoever has no texts need not load

    tree, warnings = read(text, dialect)
    if depth(tree) > MAX_DEPTH:
        raise BadSyntax(text, 0, f"It is nested too deeply: more than {MAX_DEPTH} levels. Name parts of it with let.")
    return ParsedText(text, tree, warnings)

"""What functions that a model declares say, as far as that can be told in a line."""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any

from afterwork.model.expression import expression_of

ENDINGS = ("", "\ndef _(): ...", "\n    pass", "\nclass _: ...")
"""What may be missing for the lines in which a lambda stands to be a whole statement."""


def condition(function: Callable[..., Any] | None) -> str | None:
    """A condition in words: the text of an expression, the body of a lambda, or the name of a function. None where
    there is no condition."""
    if function is None:
        return None
    expression = expression_of(function)
    if expression is not None:
        return expression.text
    name = getattr(function, "__name__", type(function).__name__)
    return name if name != "<lambda>" else _body(function) or "a lambda"


def summary(declared: object) -> str:
    """The first line of what is written about something; empty if nothing is."""
    text = vars(declared).get("__doc__") or ""
    return inspect.cleandoc(text).partition("\n")[0]


def _body(function: Callable[..., Any]) -> str | None:
    """The body of a lambda that stands alone in its lines."""
    try:
        text = dedent(inspect.getsource(function)).strip().rstrip(",")
    except (OSError, TypeError):  # typed in, or made in another way
        return None
    for tree in filter(None, (_parsed(text + ending) for ending in ENDINGS)):
        found = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        return ast.unparse(found[0].body) if len(found) == 1 else None
    return None


def _parsed(text: str) -> ast.AST | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None

"""The source text of functions that a model declares, as far as it fits in a line."""

import ast
import inspect
from collections.abc import Callable
from textwrap import dedent
from typing import Any

from afterwork.model.expression import expression_of

ENDINGS = ("", "\ndef _(): ...", "\n    pass", "\nclass _: ...")
"""Completions that turn the source lines of a lambda into a whole statement."""


def condition(function: Callable[..., Any] | None) -> str | None:
    """Return a condition as text: an expression's text, a lambda's body, or a function's name.

    Returns None if there is no condition.
    """
    if function is None:
        return None
    expression = expression_of(function)
    if expression is not None:
        return expression.text
    name = getattr(function, "__name__", type(function).__name__)
    return name if name != "<lambda>" else _body(function) or "a lambda"


def summary(declared: object) -> str:
    """Return the first line of a declaration's docstring, empty if it has none."""
    text = vars(declared).get("__doc__") or ""
    return inspect.cleandoc(text).partition("\n")[0]


def _body(function: Callable[..., Any]) -> str | None:
    """Return the body of a lambda that stands alone in its source lines."""
    try:
        text = dedent(inspect.getsource(function)).strip().rstrip(",")
    except (OSError, TypeError):  # typed at a prompt, or generated
        return None
    for tree in filter(None, (_parsed(text + ending) for ending in ENDINGS)):
        lambdas = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        return ast.unparse(lambdas[0].body) if len(lambdas) == 1 else None
    return None


def _parsed(text: str) -> ast.AST | None:
    try:
        return ast.parse(text)
    except SyntaxError:
        return None

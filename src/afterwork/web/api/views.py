"""Routes that answer with what a method of `Insight` returns."""

import inspect
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter


def view_route(router: APIRouter, path: str, read: Callable[..., Any], name: str | None = None) -> None:
    """Add a route for a method of `Insight`, whose parameters, return type and docstring describe it.

    Only the first paragraph of the docstring is shown: the rest is for Python. `name` is the id of the operation, by
    default the name of the method.
    """
    description = inspect.cleandoc(read.__doc__ or "").partition("\n\n")[0]
    router.get(path, name=name or read.__name__, description=description)(read)

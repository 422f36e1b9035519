"""Checks of the functions that declarations are given: called as Afterwork calls them, and done when they return."""

import inspect as python
from collections.abc import Callable, Sequence
from typing import Any

from afterwork.errors import BadDeclaration, shown


def check_callable_alone(function: object, mark: str, *, may_yield: bool = False, may_await: bool = False) -> None:
    """Refuse a function that could never run: a run passes no arguments, and iterates over nothing."""
    where, others = check_method(function, mark, may_yield=may_yield, may_await=may_await)
    needed = [p.name for p in others if p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
    if needed:
        raise BadDeclaration(
            f"{where}: it needs {', '.join(needed)}, but a run passes only self. Keep what it needs in the model."
        )


def check_method(
    function: object, mark: str, *, may_yield: bool = False, may_await: bool = False
) -> tuple[str, Sequence[python.Parameter]]:
    """Refuse what is no function of `self` that is done when it returns. Return its place, and its other parameters."""
    if isinstance(function, (classmethod, staticmethod)):
        name = type(function).__name__
        raise BadDeclaration(f"{mark} marks functions, not {function!r}. A run passes self: leave out @{name}.")
    if not python.isfunction(function):
        raise BadDeclaration(f"{mark} marks functions, not {function!r}.")
    where = f"{mark} on {function.__qualname__}"
    check_is_done(function, where, may_yield=may_yield, may_await=may_await)
    own, *others = python.signature(function).parameters.values() or (None,)
    if own is None or own.kind in (own.KEYWORD_ONLY, own.VAR_KEYWORD):
        raise BadDeclaration(f"{where}: it takes nothing, but a run passes self.")
    return where, others


def check_is_done(function: object, where: str, *, may_yield: bool = False, may_await: bool = False) -> None:
    """Refuse a function whose call only begins something: nobody would go on with it, or with `may_await`, await it."""
    for each in (function, vars(type(function)).get("__call__")):
        if python.isasyncgenfunction(each) or (python.iscoroutinefunction(each) and not may_await):
            raise BadDeclaration(f"{where}: nobody awaits it. Write it as def, not async def.")
        if python.isgeneratorfunction(each) and not may_yield:
            raise BadDeclaration(
                f"{where}: a call of it does nothing, since it has a yield. Write it without, and return a value."
            )


def is_async(function: object) -> bool:
    """Return whether what a call of a function returns must be awaited: it is an `async def`."""
    return python.iscoroutinefunction(function) or python.iscoroutinefunction(vars(type(function)).get("__call__"))


def check_async(function: object, where: str, external: bool) -> None:
    """Refuse an `async def` that would run inside a transaction, which would stay open while it waits."""
    if is_async(function) and not external:
        raise BadDeclaration(
            f"{where}: an async def waits for others, which no transaction may do. Declare it external=True, or write "
            "it as def."
        )


def checked_function(given: object, mark: str, passed: str, *, example: str) -> Callable[..., Any]:
    """Return a function that is called with one argument, free of `classmethod` and `staticmethod`."""
    function = given.__func__ if isinstance(given, (classmethod, staticmethod)) else given
    if not python.isfunction(function):
        raise BadDeclaration(f"{mark} marks functions, not {given!r}. An example: {example}")
    where = f"{mark} on {function.__qualname__}"
    check_is_done(function, where)
    check_arguments(function, where, [passed])
    return function


def check_callable(given: object, where: str, passed: Sequence[str]) -> None:
    """Refuse anything that can't be called with some arguments, or whose call only begins something."""
    if not callable(given):
        raise BadDeclaration(f"{where} is {shown(given)}. Give a function of {_listed(passed)}.")
    check_is_done(given, where)
    check_arguments(given, where, passed)


def check_arguments(function: Callable[..., Any], where: str, passed: Sequence[str]) -> None:
    """Refuse a function that doesn't take what it is called with."""
    try:
        signature = python.signature(function)
    except (TypeError, ValueError):  # of C, which tells nothing
        return
    try:
        signature.bind(*passed)
    except TypeError as error:
        raise BadDeclaration(f"{where}: it is called with {_listed(passed)}, and nothing else ({error}).") from None


def takes_any(function: Callable[..., Any]) -> bool:
    """Return whether a function has parameters."""
    return bool(python.signature(function).parameters)


def _listed(passed: Sequence[str]) -> str:
    return " and ".join(passed) or "nothing"

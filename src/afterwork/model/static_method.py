"""`@aw.method` above `@staticmethod`: functions of a class that need no object, which texts call by the class."""

import functools
import inspect as python
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

from afterwork.errors import BadDeclaration
from afterwork.model.functions import check_is_done

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class StaticMethod(Generic[Parameters, Result]):
    """A function of a class that needs no object. Texts call it as `Customer.standard`; no ticket can ask for it."""

    def __init__(self, function: Callable[Parameters, Result]) -> None:
        if not python.isfunction(function):
            raise BadDeclaration(f"@aw.method above @staticmethod marks functions, not {function!r}.")
        check_is_done(function, f"@aw.method above @staticmethod on {function.__qualname__}")
        self.function = function
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    def __get__(self, target: object | None, owner: type) -> Callable[Parameters, Result]:
        # A text names the classes of a model, so it has to know in which one it stands.
        of_class: Any = getattr(self.function, "of_class", None)
        return self.function if of_class is None else functools.partial(of_class, owner)


def static_method(
    marked: "staticmethod[Parameters, Result]", *, is_plain: bool = True
) -> StaticMethod[Parameters, Result]:
    """Return a static method. Raises `BadDeclaration` unless it is plain, without the options of works."""
    if not is_plain:
        raise BadDeclaration(
            f"@aw.method above @staticmethod on {marked.__func__.__qualname__}: texts call it, and it never runs by "
            "itself. Leave out the options of @aw.method, or @staticmethod."
        )
    return StaticMethod(marked.__func__)

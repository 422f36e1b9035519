"""Declarations as they stand in the source: signature, docstring and fields, in the words of whoever wrote them."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

MADE_ELSEWHERE = "…"
"""Stands for a default that a factory makes."""


@dataclass(frozen=True)
class Parameter:
    """A parameter or field: its name with its stars, its type and its default as they are written, its docstring."""

    name: str
    type: str = ""
    default: str = ""
    doc: str = ""

    def __str__(self) -> str:
        typed = f"{self.name}: {self.type}" if self.type else self.name
        if not self.default:
            return typed
        return f"{typed} = {self.default}" if self.type else f"{typed}={self.default}"


@dataclass(frozen=True)
class Callable:
    """A function, or a property, which is read and not called."""

    obj: Any

    @cached_property
    def function(self) -> Any:
        match self.obj:
            case property(fget=function) | cached_property(func=function):
                return function
            case function:
                return inspect.unwrap(function)

    @property
    def is_read(self) -> bool:
        return isinstance(self.obj, property | cached_property)

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.function.__doc__ or "")

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Return what callers give it, the marks `/` and `*` included."""
        node, source = _parsed(self.function)
        parameters = list(_parameters(node.args, source))
        return parameters[1:] if parameters and parameters[0].name in ("self", "cls") else parameters

    @property
    def result(self) -> str:
        """Return the type of what it returns, as it is written."""
        node, source = _parsed(self.function)
        return _written(node.returns, source)

    @property
    def signature(self) -> str:
        arrow = f" -> {self.result}" if self.result else ""
        return f"({', '.join(map(str, self.parameters))}){arrow}"


@dataclass(frozen=True)
class Class:
    """A class with what its constructor takes, and its documented fields."""

    cls: type

    @property
    def doc(self) -> str:
        return inspect.cleandoc(self.cls.__doc__ or "")

    @property
    def signature(self) -> str:
        return f"({', '.join(map(str, self.parameters))})"

    @property
    def fields(self) -> list[Parameter]:
        """Return the public fields that have a docstring, those of its bases first."""
        return [field for field in self._all_fields() if field.doc]

    @property
    def bases(self) -> list[type]:
        return [base for base in self.cls.__bases__ if base is not object]

    @cached_property
    def parameters(self) -> list[Parameter]:
        """Return what the constructor takes, the marks `/` and `*` included."""
        own = [cls for cls in self.cls.__mro__ if "__init__" in vars(cls) and _is_ours(cls)]
        if not own or vars(own[0]).get("_is_protocol"):
            return []
        if not dataclasses.is_dataclass(own[0]) or not own[0].__dataclass_params__.init:  # type: ignore[attr-defined]
            return Callable(vars(own[0])["__init__"]).parameters
        by_name = {field.name: field.kw_only for field in dataclasses.fields(own[0]) if field.init}
        fields = [field for field in self._all_fields() if field.name in by_name]
        by_position = [field for field in fields if not by_name[field.name]]
        by_keyword = [field for field in fields if by_name[field.name]]
        return [*by_position, *([Parameter("*")] if by_keyword else []), *by_keyword]

    def _all_fields(self) -> list[Parameter]:
        declaring = [cls for cls in reversed(self.cls.__mro__) if _is_ours(cls)]
        return list({field.name: field for cls in declaring for field in _fields(cls)}.values())


def _is_ours(cls: type) -> bool:
    return cls.__module__.split(".")[0] == "afterwork"


def _parsed(obj: Any) -> tuple[Any, str]:
    """Return the syntax of a function or class, and its source."""
    source = textwrap.dedent(inspect.getsource(obj))
    return ast.parse(source).body[0], source


def _written(node: ast.expr | None, source: str) -> str:
    """Return a type or a value as it stands in the source, in one line, without the quotes of a type to come."""
    if node is None:
        return ""
    return " ".join((ast.get_source_segment(source, node) or "").split())


def _parameters(given: ast.arguments, source: str) -> Iterator[Parameter]:
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    for place, (argument, default) in enumerate(zip(positional, defaults, strict=True), 1):
        yield _parameter(argument, default, source)
        if place == len(given.posonlyargs):
            yield Parameter("/")
    if given.vararg:
        yield _parameter(given.vararg, None, source, "*")
    elif given.kwonlyargs:
        yield Parameter("*")
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _parameter(argument, default, source)
    if given.kwarg:
        yield _parameter(given.kwarg, None, source, "**")


def _parameter(argument: ast.arg, default: ast.expr | None, source: str, stars: str = "") -> Parameter:
    kind = _written(argument.annotation, source).strip('"')
    return Parameter(stars + argument.arg, kind, _written(default, source))


def _fields(cls: type) -> Iterator[Parameter]:
    """Yield the public fields that a class declares itself."""
    node, source = _parsed(cls)
    for statement, following in zip(node.body, [*node.body[1:], None], strict=True):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                kind = _written(statement.annotation, source)
                yield Parameter(name, kind, _default(statement.value, source), docstring(following))


def docstring(statement: ast.stmt | None) -> str:
    """Return what a statement says of the one above it."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return inspect.cleandoc(text)
        case _:
            return ""


def _default(node: ast.expr | None, source: str) -> str:
    match node:
        case ast.Call(func=ast.Name(id="field"), keywords=keywords):
            given = {keyword.arg: keyword.value for keyword in keywords}
            return _written(given["default"], source) if "default" in given else MADE_ELSEWHERE
        case ast.Call(func=ast.Name(id="mapped_column")):
            return ""
        case _:
            return _written(node, source)

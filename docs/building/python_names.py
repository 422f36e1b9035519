"""The reference of the public names, `aw.later` or `aw.Afterwork.serve`, from signatures and docstrings."""

import ast
import importlib
import inspect
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any

import afterwork as aw
from afterwork import errors, events
from afterwork.control import Control
from afterwork.insight import Insight
from afterwork.model.method import Method
from docs.building.declarations import Callable, Class, Parameter, docstring
from docs.building.texts import Places, described, linked

OWNERS: Mapping[str, Any] = {"method": Method}
"""The owners of names that begin with no module: `@assign_number.many` belongs to a method."""

MADE_BY_AFTERWORK = (aw.BoundMachine, aw.BoundMethod, aw.Derived, Control, Insight)
"""Classes whose objects nobody else makes, so that what their constructors take is left out."""


def places() -> Places:
    """Return where the site describes the names that docstrings mention."""
    raised = {name: f"afterwork.errors.{name}" for name, _ in inspect.getmembers(errors, inspect.isclass)}
    seen = {name: f"afterwork.events.{name}" for name in events.__all__ if name[0].isupper()}
    classes = {name: f"aw.{name}" for name in aw.__all__ if name[0].isupper() and name not in raised}
    of_app = {f"app.{name}": f"aw.Afterwork.{name}" for name in vars(aw.Afterwork) if not name.startswith("_")}
    public = {f"aw.{name}": raised.get(name, f"aw.{name}") for name in aw.__all__ if name != "aio"}
    return {**seen, **raised, **classes, **of_app, **public}


def description(name: str) -> str:
    """Return the description of a public name.

    Raises `LookupError` if there is no such name, or none that says what it means.
    """
    known, (owner, obj) = places(), looked_up(name)
    match obj:
        case type():
            shape = Class(obj)
            members = [linked(shape.doc, known), *(_field(name, field, known) for field in shape.fields)]
            signature = "" if obj in MADE_BY_AFTERWORK else shape.signature
            return described("class", name, signature, "\n\n".join(members))
        case ModuleType():
            return linked(inspect.cleandoc(obj.__doc__ or ""), known)
        case _ if Callable(obj).is_read:
            read = Callable(obj)
            return described("property", name, "", linked(read.doc, known), f"type: {read.result}")
        case _ if callable(obj):
            called = Callable(obj)
            option = ("async:",) if inspect.iscoroutinefunction(obj) else ()
            kind = "method" if isinstance(owner, type) else "function"
            return described(kind, name, called.signature, linked(called.doc, known), *option)
        case _:
            return described("data", name, "", linked(_constant(name.rpartition(".")[2]), known))


def looked_up(name: str) -> tuple[Any, Any]:
    """Return what a dotted name stands for, after the module or class that it is a part of."""
    parent, _, last = name.rpartition(".")
    owner = OWNERS.get(parent) or resolve_name(re.sub(r"^aw\b", "afterwork", parent))
    if not hasattr(owner, last):
        raise LookupError(f"There is no {name}.")
    return owner, inspect.getattr_static(owner, last) if isinstance(owner, type) else getattr(owner, last)


def _field(owner: str, field: Parameter, known: Places) -> str:
    return described("attribute", f"{owner}.{field.name}", "", linked(field.doc, known), f"type: {field.type}")


def _constant(name: str) -> str:
    """Return the docstring that stands below a public constant, in the module from which it is taken."""
    imports = [node for node in ast.walk(ast.parse(_text(aw))) if isinstance(node, ast.ImportFrom)]
    module = next(node.module for node in imports if name in [alias.name for alias in node.names])
    for statement, following in pairwise(ast.parse(_text(importlib.import_module(module or ""))).body):
        match statement:
            case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                return docstring(following)
    raise LookupError(f"{name} has no docstring.")


def _text(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")

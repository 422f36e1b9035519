"""The reference has every public name, option, setting, error and variable, and says what it means."""

import ast
import dataclasses
import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest

import afterwork as aw
from afterwork import errors, events
from afterwork.cli import main
from docs.building.declarations import Callable, Class, Parameter
from docs.building.pages import LISTS, MARK, completed
from docs.building.python_names import MADE_BY_AFTERWORK, looked_up
from tests.documentation.blocks import PAGES, ROOT

REFERENCE = [page for page in PAGES if page.startswith("docs/reference/")]

ASKED_FOR = [name for page in REFERENCE for mark in MARK.findall((ROOT / page).read_text()) for name in mark.split()]

NAMES = [name for name in ASKED_FOR if name not in LISTS]

THE_SITE = "\n".join(completed((ROOT / page).read_text()) for page in REFERENCE)

DESCRIBED = set(re.findall(r"^:+\{py:\w+\} ([\w.]+)", THE_SITE, re.MULTILINE))

LIKE_ANOTHER = {"aw.aio.fresh", "aw.aio.is_stale", "aw.aio.explain", "aw.aio.impact", "aw.aio.later"}
"""Functions whose docstring names the one of which they take the arguments, and raise the errors."""


def test_each_public_name_is_described() -> None:
    raised = {name: f"afterwork.errors.{name}" for name in aw.__all__ if hasattr(errors, name)}
    names = {raised.get(name, f"aw.{name}") for name in aw.__all__} - {"aw.aio"}  # a module: its functions are

    assert names - DESCRIBED == set()


@pytest.mark.parametrize(("name", "owner"), [("aw.Afterwork", aw.Afterwork), ("aw.aio", aw.aio)])
def test_each_public_function_of_a_thing_is_described(name: str, owner: Any) -> None:
    own = owner if isinstance(owner, type) else vars(owner)["__name__"]
    functions = {
        f"{name}.{key}"
        for key, value in vars(owner).items()
        if not key.startswith("_")
        and (isinstance(owner, type) or (inspect.isfunction(value) and value.__module__ == own))
    }

    assert functions - DESCRIBED == set()


def test_each_error_and_event_is_described() -> None:
    raised = {
        f"afterwork.errors.{name}"
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.AfterworkError)
    }
    seen = {
        f"afterwork.events.{name}"
        for name in events.__all__
        if isinstance(cls := getattr(events, name), type) and issubclass(cls, events.LoggedEvent)
    } - {"afterwork.events.LoggedEvent"}

    assert (raised | seen) - DESCRIBED == set()


def test_each_setting_is_described_with_its_default() -> None:
    for field in dataclasses.fields(aw.Settings):
        assert f"{{py:attribute}} aw.Settings.{field.name}\n:type: " in THE_SITE


def test_each_command_and_option_is_described() -> None:
    for name, command in main.commands.items():
        section = THE_SITE.partition(f"\n## afterwork {name}\n")[2].partition("\n## ")[0]
        options = [option for param in command.params for option in param.opts if option.startswith("-")]
        assert section, f"afterwork {name} has no section"
        assert [option for option in options if option not in section] == []


def test_each_variable_of_the_environment_is_described() -> None:
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    page = (ROOT / "docs/reference/commands.md").read_text()

    assert {name for name in re.findall(r'"(AFTERWORK_[A-Z_]+)"', source) if f"`{name}`" not in page} == set()


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_is(name: str) -> None:
    assert words_of(name), f"{name} has no docstring"


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_tells_the_errors_that_it_raises(name: str) -> None:
    untold = [error for error in raised_by(name) if f"`{error}`" not in words_of(name)]

    assert untold == []


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_tells_what_each_argument_is(name: str) -> None:
    told = words_of(name)
    untold = [argument for argument in arguments_of(name) if not re.search(rf"\b{argument}\b", told)]

    assert untold == []


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_tells_the_unit_of_each_number_that_is_no_count(name: str) -> None:
    numbers = [parameter.name for parameter in parameters_of(name) if "float" in parameter.type]
    units = {"seconds", "minutes", "hours", "days"}

    assert not numbers or set(numbers) <= units or units & set(words_of(name).split())


def words_of(name: str) -> str:
    """What the docstrings of a name say: its own, those of its fields, and for a method that of its class."""
    owner, obj = looked_up(name)
    above = Class(owner).doc if isinstance(owner, type) else ""
    if isinstance(obj, type):
        return " ".join([Class(obj).doc, *(f"{field.name} {field.doc}" for field in Class(obj).fields)])
    own = Callable(obj).doc if callable(obj) or Callable(obj).is_read else inspect.getdoc(obj) or ""
    return f"{own} {above}" if own else ""


def raised_by(name: str) -> list[str]:
    """The errors that a function, or a constructor, raises itself."""
    obj = looked_up(name)[1]
    if obj in MADE_BY_AFTERWORK:
        return []
    if isinstance(obj, type):
        functions = [vars(obj)[name] for name in ("__init__", "__post_init__") if name in vars(obj)]
    else:
        functions = [Callable(obj).function] if callable(obj) else []
    written = [function for function in functions if is_in_a_file(function)]
    trees = [ast.parse(textwrap.dedent(inspect.getsource(one))) for one in written]
    calls = [node.exc for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    names = [call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)]
    return [error for error in names if hasattr(errors, error)]


def is_in_a_file(function: Any) -> bool:
    """Whether somebody has written a function, and no dataclass has made it."""
    return Path(function.__code__.co_filename).exists()


def arguments_of(name: str) -> list[str]:
    """The arguments that a reader can't do without being told of: all but the one that the function is about."""
    if name in LIKE_ANOTHER:
        return []
    return [parameter.name for parameter in parameters_of(name) if parameter.name.isidentifier()][1:]


def parameters_of(name: str) -> list[Parameter]:
    """What a function, or the constructor of a class, takes."""
    obj = looked_up(name)[1]
    if obj in MADE_BY_AFTERWORK or not callable(obj):
        return []
    return Class(obj).parameters if isinstance(obj, type) else Callable(obj).parameters

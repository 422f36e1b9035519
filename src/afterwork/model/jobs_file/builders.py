"""Build the jobs of a file from its tables, and add them to the model."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from inspect import Parameter, Signature
from types import new_class
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper

from afterwork.model.derivation import cache_problem
from afterwork.model.derived import Derived, derived
from afterwork.model.expression import ITSELF, expression_of
from afterwork.model.jobs_file.start_options import JOB, run_options, start_of, timeout_of
from afterwork.model.jobs_file.table import JobTable
from afterwork.model.method import Method, method
from afterwork.model.static_method import StaticMethod
from afterwork.model.timer import once_of, timers_of
from afterwork.model.variable import variable
from afterwork.model.viewmodel import ViewModel, action, column, on_exception, withdraw
from afterwork.model.when import Timer, WhenStale
from afterwork.model.work import MethodWork, ViewModelWork, Work

BODY: Mapping[str, type] = {"do": str, "python": str}
METHOD: Mapping[str, type] = {
    **BODY,
    "value": str,
    "parameters": list,
    "result": str,
    "static": bool,
    "precondition": str,
    **JOB,
}
PARAMETER: Mapping[str, type] = {"type": str, "default": object}
QUERY: Mapping[str, type] = {"value": str}
DERIVED: Mapping[str, type] = {
    "value": str,
    "priority": int,
    "allow_oldness": timedelta,
    "timeout": timedelta,
    "at": str,
    "last_change": bool,
}
ACTION: Mapping[str, type] = {**BODY, "enabled": str}
VARIABLE: Mapping[str, type] = {"default": object}
VIEW_MODEL: Mapping[str, type] = {
    "root": str,
    "variables": list,
    "columns": list,
    "actions": list,
    "on_exception": dict,
    **JOB,
}


@dataclass(frozen=True)
class MadeJob:
    """A job that was added to the model, and how to remove it. `kept_alive` has no other reference."""

    take_out: Callable[[], None]
    kept_alive: object = None


def make_method(table: JobTable) -> MadeJob:
    """`[methods."Customer.assign_number"]`: as `@aw.method`."""
    table.check(METHOD)
    mapper, name = _owner(table)
    cls = mapper.class_
    if table.said.get("static", False):
        return _put(table, cls, name, _static(table))
    timer = start_of(table, mapper)
    precondition = table.query("precondition", cls)
    with table.at():
        made: Method[Any, Any] = method(
            precondition=precondition, when=timer if timer is None else _only_timer(table, timer), **run_options(table)
        )(table.body(cls, declared=_signature(table)))
    made.name = name
    _fit(table, MethodWork(table.who, cls, made), mapper)
    return _put(table, cls, name, made)


def _static(table: JobTable) -> StaticMethod[..., Any]:
    """Return the method of a class, which needs no object and is no work."""
    for key in ("precondition", *JOB):
        if key in table.said:
            table.refuse(f"it is static, so texts call it and nothing starts it: leave out {key}, or static", key)
    with table.at():
        return StaticMethod(table.body(None, declared=_signature(table)))


def _signature(table: JobTable) -> Signature:
    """Return the parameters and the result of a method, as annotations. A function in Python has its own."""
    for key in ("parameters", "result"):
        if key in table.said and "python" in table.said:
            table.refuse(f"{key} is for texts: the function {table.said['python']} has its own", key)
    parameters = [ITSELF]
    for name, part in table.items("parameters", PARAMETER):
        default = part.said.get("default", Parameter.empty)
        if default is Parameter.empty and parameters[-1].default is not Parameter.empty:
            part.refuse("it needs a default, since the parameter before it has one")
        if name == ITSELF.name:
            part.refuse("each text has a self of its own: give it another name")
        parameters.append(Parameter(name, ITSELF.kind, annotation=part.annotation("type"), default=default))
    result = table.annotation("result") if "result" in table.said else Signature.empty
    return Signature(parameters, return_annotation=result)


def make_query(table: JobTable) -> MadeJob:
    """`[queries."Order.paid"]`: a property that evaluates an expression, and is not stored."""
    table.check(QUERY)
    mapper, name = _owner(table)
    table.needed("value")
    return _put(table, mapper.class_, name, property(table.query("value", mapper.class_)))


def make_derived(table: JobTable) -> MadeJob:
    """`[derived."Customer.total"]`: as `@aw.derived`."""
    table.check(DERIVED)
    mapper, member = _owner(table)
    table.needed("value")
    function = table.query("value", mapper.class_)
    assert function is not None
    oldness, timeout = table.duration("allow_oldness") or timedelta(0), timeout_of(table)
    priority = table.said.get("priority")
    with table.at():
        options = {name: table.said[name] for name in ("at", "last_change") if name in table.said}
        decorate: Any = derived(member, priority=priority, allow_oldness=oldness, timeout=timeout, **options)
        made: Derived[Any, Any] = decorate(function)
        made.name = f"compute_{member}"
        made.member_of(mapper)
    return _put(table, mapper.class_, made.name, made)


def make_view_model(table: JobTable) -> MadeJob:
    """`[view_models.SeeOrders]`: as a class that derives from `aw.ViewModel`."""
    table.check(VIEW_MODEL)
    if not table.who.isidentifier():
        table.refuse("it is no name of a view model")
    mapper = table.mapper(table.said["root"], "root") if "root" in table.said else None
    names = _parts(table, mapper)
    root = None if mapper is None else mapper.class_
    given = {"root": root, "model": table.reading.base}
    made: Any = new_class(table.who, (ViewModel,), given, lambda body: body.update(names))
    _fit(table, ViewModelWork(table.who, root, made), mapper)
    return MadeJob(lambda: withdraw(made), kept_alive=made)


def _parts(table: JobTable, mapper: Mapper[Any] | None) -> dict[str, Any]:
    """Return the members of a view model's class."""
    root = None if mapper is None else mapper.class_
    declared = table.items("variables", VARIABLE)
    variables = {_free(part, name, ()): variable(part.said.get("default")) for name, part in declared}
    names: dict[str, Any] = dict(variables)
    for name, part in table.items("columns", QUERY):
        part.needed("value")
        names[_free(part, name, names)] = column(part.query("value", root, variables))  # type: ignore[arg-type]
    table.needed("actions")
    for name, part in table.items("actions", ACTION):
        with part.at():
            made = action(enabled=part.query("enabled", root, variables))(part.body(root, variables))
        names[_free(part, name, names)] = made
    handler = table.table("on_exception", BODY)
    if handler is not None:
        names["on_exception"] = on_exception(_handler(handler, root, variables))
    return {**names, **run_options(table), "when": start_of(table, mapper, variables)}


def _free(table: JobTable, name: str, taken: Collection[str]) -> str:
    """Return a name of a view model's part, if no other part has it."""
    if name in taken or hasattr(ViewModel, name):
        table.refuse(f"its view model has something else called {name}")
    return name


ERROR = "error_text"
"""The name of the exception's text, in statements of `on_exception`."""


def _handler(table: JobTable, root: type | None, variables: Iterable[str]) -> Callable[[Any, Exception], object]:
    """Return the function that is called when an action has raised. Statements may name `error_text`."""
    body: Callable[..., object] = table.body(root, [*variables, ERROR])
    expression = expression_of(body)
    if expression is None:
        return body  # a function of the application, which takes the exception, too
    return lambda view_model, error: expression(view_model, **{ERROR: view_model.error_text})


def _owner(table: JobTable) -> tuple[Mapper[Any], str]:
    """Return the class and the member of a name like `Customer.total`."""
    cls, _, member = table.who.partition(".")
    if not member.isidentifier():
        table.refuse('its name must be that of a class and a member, as "Customer.total"')
    return table.mapper(cls), member


def _only_timer(table: JobTable, start: object) -> Timer:
    if not isinstance(start, Timer):
        table.refuse("a method is started by a timer, or by tickets: when needs every or cron", "when")
    return start


def _fit(table: JobTable, work: Work, mapper: Mapper[Any] | None) -> None:
    """Refuse a job that can't start as it is declared."""
    problems: list[str] = []
    timers_of({work.name: work}, {} if mapper is None else {mapper.class_.__name__: mapper}, problems)
    once_of({work.name: work}, problems)
    if isinstance(work, ViewModelWork) and isinstance(work.view_model.when, WhenStale):
        problems += [problem] if (problem := cache_problem(work.view_model, mapper)) else []
    if problems:
        table.refuse("; ".join(problem.removeprefix(f"{work.name}: ") for problem in problems), "when")


def _put(table: JobTable, cls: type, name: str, made: Any) -> MadeJob:
    if name in vars(cls) or name in inspect(cls).attrs:
        table.refuse(f"{cls.__name__} has a {name} already")
    setattr(cls, name, made)
    return MadeJob(lambda: delattr(cls, name))

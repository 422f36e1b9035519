"""The declarations of a model: its classes with members, associations, methods and machines, and its view models."""

import ast
import inspect as python
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from textwrap import dedent
from typing import Any

from sqlalchemy import ColumnElement, inspect
from sqlalchemy.orm import Mapper, RelationshipDirection, RelationshipProperty
from sqlalchemy.types import TypeDecorator

from afterwork.insight.machines import machines_in
from afterwork.model.column_types import python_type
from afterwork.model.derivation import MemberDerivation
from afterwork.model.expression import expression_of
from afterwork.model.inspection import ModelInfo
from afterwork.model.machine.declaration import EventMethod
from afterwork.model.retry import Retry, doubling
from afterwork.model.timeout import NO_TIMEOUT
from afterwork.model.work import FunctionWork, MethodWork, ViewModelWork, Work


@dataclass(frozen=True)
class MemberView:
    """An attribute of a class. `type` is the name of a Python type, `cache` that of the cache that calculates it."""

    name: str
    type: str
    is_key: bool
    is_optional: bool
    cache: str | None


@dataclass(frozen=True)
class EndView:
    """One end of an association: its class, its name on the other side (None without one), and its multiplicity: `1`,
    `0..1` or `*`."""

    cls: str
    name: str | None
    multiplicity: str


@dataclass(frozen=True)
class AssociationView:
    """An association of two classes. The first end is the one with fewer objects."""

    ends: tuple[EndView, EndView]


@dataclass(frozen=True)
class WorkView:
    """A work that a ticket or a timer can start. `precondition`, `timeout`, `retry` and `starts` are in words.

    `parameters` are the names of its arguments or variables; those with a default end with a question mark.
    """

    name: str
    doc: str
    precondition: str | None
    lane: str
    external: bool
    attempts: int
    timeout: str | None
    starts: Sequence[str]
    retry: str | None = None
    parameters: Sequence[str] = ()


@dataclass(frozen=True)
class ClassView:
    """A mapped class. What it inherits is listed at its `base`. `machines` are names."""

    name: str
    table: str
    base: str | None
    doc: str
    members: Sequence[MemberView]
    methods: Sequence[WorkView]
    machines: Sequence[str]


@dataclass(frozen=True)
class ActionView:
    """An action of a view model, and the condition under which it runs, in words."""

    name: str
    doc: str
    enabled: str | None


@dataclass(frozen=True)
class ViewModelView:
    """A view model, with its actions from top to bottom."""

    work: WorkView
    root: str | None
    columns: Sequence[str]
    variables: Sequence[str]
    actions: Sequence[ActionView]


@dataclass(frozen=True)
class ModelView:
    """All declarations of a model, each kind by name."""

    classes: Sequence[ClassView]
    associations: Sequence[AssociationView]
    view_models: Sequence[ViewModelView]
    functions: Sequence[WorkView]


def view(model: ModelInfo) -> ModelView:
    """Return the declarations of a model. Needs no database."""
    works = [model.works[name] for name in sorted(model.works)]
    methods = [work for work in works if isinstance(work, MethodWork) and not _is_inherited(model, work)]
    machines = [(name, mapper) for name, mapper, _ in machines_in(model)]
    return ModelView(
        [_class(model, mapper, methods, machines) for _, mapper in sorted(model.classes.items())],
        list(_associations(model)),
        [_view_model(model, work) for work in works if isinstance(work, ViewModelWork)],
        [work_view(model, work) for work in works if isinstance(work, FunctionWork)],
    )


def _class(
    model: ModelInfo, mapper: Mapper[Any], methods: Sequence[MethodWork], machines: Sequence[tuple[str, Mapper[Any]]]
) -> ClassView:
    cls = mapper.class_
    return ClassView(
        cls.__name__,
        getattr(mapper.local_table, "fullname", ""),
        None if mapper.inherits is None else mapper.inherits.class_.__name__,
        summary(cls),
        list(_members(model, mapper)),
        [
            work_view(model, method)
            for method in methods
            if method.root is cls and not isinstance(method.method, EventMethod)
        ],
        [name for name, owner in machines if owner is mapper],
    )


def _members(model: ModelInfo, mapper: Mapper[Any]) -> Iterator[MemberView]:
    inherited = () if mapper.inherits is None else mapper.inherits.column_attrs.keys()
    calculated = {
        derivation.column: derivation.name
        for derivation in model.derivations.values()
        if isinstance(derivation, MemberDerivation) and derivation.root is mapper
    }
    for prop in mapper.column_attrs:
        if prop.key not in inherited:
            column: Any = prop.columns[0]
            yield MemberView(
                prop.key,
                _type(column),
                bool(getattr(column, "primary_key", False)),
                bool(getattr(column, "nullable", True)),
                calculated.get(column),
            )


def _type(column: ColumnElement[Any]) -> str:
    """Return the Python type of a column, or the name of its type if the application has defined it."""
    kind = type(column.type) if isinstance(column.type, TypeDecorator) else python_type(column)
    return "" if kind is None else kind.__name__


def _associations(model: ModelInfo) -> Iterator[AssociationView]:
    seen: set[RelationshipProperty[Any]] = set()
    for _, mapper in sorted(model.classes.items()):
        for prop in mapper.relationships:
            if prop.parent is mapper and prop not in seen and prop.mapper.class_.__name__ in model.classes:
                back = next(iter(sorted(prop._reverse_property, key=lambda side: side.key)), None)
                seen |= {prop, *prop._reverse_property}
                yield _association(prop, back)


def _association(prop: RelationshipProperty[Any], back: RelationshipProperty[Any] | None) -> AssociationView:
    own = EndView(prop.parent.class_.__name__, None if back is None else back.key, _other_side(prop, back))
    far = EndView(prop.mapper.class_.__name__, prop.key, _many(prop))
    return AssociationView((own, far) if own.multiplicity != "*" or far.multiplicity == "*" else (far, own))


def _many(prop: RelationshipProperty[Any]) -> str:
    if prop.uselist:
        return "*"
    is_needed = prop.direction is RelationshipDirection.MANYTOONE and not any(
        getattr(column, "nullable", True) for column in prop.local_columns
    )
    return "1" if is_needed else "0..1"


def _other_side(prop: RelationshipProperty[Any], back: RelationshipProperty[Any] | None) -> str:
    if back is not None:
        return _many(back)
    if prop.direction is not RelationshipDirection.ONETOMANY:
        return "*"
    return "0..1" if any(getattr(far, "nullable", True) for _, far in prop.synchronize_pairs) else "1"


def _view_model(model: ModelInfo, work: ViewModelWork) -> ViewModelView:
    declared = work.view_model
    return ViewModelView(
        work_view(model, work),
        None if work.root is None else work.root.__name__,
        list(declared.columns),
        list(declared.variables),
        [ActionView(name, summary(action), condition(action.enabled)) for name, action in declared.actions.items()],
    )


def work_view(model: ModelInfo, work: Work) -> WorkView:
    """Return the declaration of one work."""
    match work:
        case MethodWork(method=method):
            doc, precondition = summary(method), condition(method.precondition)
        case ViewModelWork(view_model=view_model):
            doc, precondition = summary(view_model), None
        case FunctionWork(function=function):
            doc, precondition = summary(function), None
    attempts = work.retry.attempts if work.retry else 1
    starts, timeout = list(_starts(model, work)), _timeout(work)
    parameters = [name if each.is_required else f"{name}?" for name, each in work.parameters.by_name.items()]
    declared = work.name, doc, precondition, work.lane, work.external, attempts, timeout, starts
    return WorkView(*declared, _retry(work.retry), parameters)


def _retry(retry: Retry | None) -> str | None:
    """Return when a work that raised is tried again, in words; None if never."""
    if retry is None or retry.attempts == 1:
        return None
    match retry.backoff:
        case timedelta() as pause:
            later = f"{pause.total_seconds():g} s after each failure"
        case backoff if backoff is doubling:
            later = "10 s after the first failure, then twice as long each time, at most an hour"
        case backoff:
            later = f"after as long as {getattr(backoff, '__name__', type(backoff).__name__)} says"
    kinds = " or ".join(sorted(kind.__name__ for kind in retry.on))
    only = "" if retry.on == (Exception,) else f", if it raises {kinds}"
    return f"at most {retry.attempts} times, {later}{only}"


def _timeout(work: Work) -> str | None:
    """Return how long a run may take, as its work declares it."""
    match work.timeout:
        case None:
            return None
        case timeout if timeout == NO_TIMEOUT:
            return "no time-out"
        case timeout:
            return f"time-out {timeout.total_seconds():g} s"


def _starts(model: ModelInfo, work: Work) -> Iterator[str]:
    if work.name in model.once:
        yield "Once per database"
        return
    if work.name in model.timers:
        yield model.timers[work.name].when.words()
    if work.name in model.derivations:
        yield "When something that it has read changes"
    yield "By a ticket"


def _is_inherited(model: ModelInfo, work: MethodWork) -> bool:
    """Return whether a superclass has the same method, and shows it."""
    above: Mapping[str, Any] = model.works
    mapper = inspect(work.root).inherits if work.root is not None else None
    return mapper is not None and f"{mapper.class_.__name__}.{work.name.partition('.')[2]}" in above


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
    return python.cleandoc(text).partition("\n")[0]


def _body(function: Callable[..., Any]) -> str | None:
    """Return the body of a lambda that stands alone in its source lines."""
    try:
        text = dedent(python.getsource(function)).strip().rstrip(",")
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

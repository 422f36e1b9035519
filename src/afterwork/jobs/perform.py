"""Performing a work on a root: a method after its precondition, or actions from top to bottom."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Session

from afterwork.errors import PreconditionFalse, StateLeft, WrongRoot
from afterwork.jobs.run import Run, printable, running
from afterwork.model.arguments.kind import Objects
from afterwork.model.arguments.parameters import Parameters
from afterwork.model.arguments.result import WorkResult
from afterwork.model.method import BoundMethod
from afterwork.model.viewmodel import Action, ViewModel
from afterwork.model.work import FunctionWork, MethodWork, StateScopedWork, ViewModelWork, Work
from afterwork.saving.current_work import working_in

NOT_ENABLED = "skipped: it was not enabled"
"""The result of an action that runs once, and whose `enabled` was false."""


@dataclass(frozen=True)
class RunContext:
    """The session, the server's variables, and the arguments of the request, that a run is given besides its root."""

    session: Session
    variables: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)


def check(work: Work, root: object | None) -> None:
    """Raise `Refused` if the work may not begin on this root: its class is wrong, or the precondition false."""
    _check_root(work, root)
    if isinstance(work, StateScopedWork) and not (machine := getattr(root, work.machine)).is_in(work.state):
        raise StateLeft(f"It was asked for while {work.machine} is in {work.state}, which is in {machine.state} now.")
    match work:
        case MethodWork():
            bound = _bound(work, root)
            if not bound.method.may_run(root):
                raise PreconditionFalse(f"The precondition of {work.name} is false{_named(bound.method.precondition)}.")
        case ViewModelWork() | FunctionWork():
            pass


def arguments_of(work: Work, root: object | None, text: object, objects: Objects) -> Mapping[str, Any]:
    """Return the arguments that a ticket's text gives a work, by name. Raises `Refused` if they don't fit."""
    match work:
        case MethodWork():
            method = _bound(work, root).method
            if text is None and not method.required:
                return {}
            return method.parameters(type(root)).read(text, objects)
        case ViewModelWork() | FunctionWork():
            return work.parameters.read(text, objects)


def result_of(work: Work, root: object | None) -> WorkResult:
    """Return what a work may return on a root, whose class may override its method."""
    return _bound(work, root).method.result(type(root)) if isinstance(work, MethodWork) else work.result


def perform(work: Work, root: object | None, run: Run, context: RunContext) -> object:
    """Run a work on a root that `check` has passed, and return its result. Exceptions of its code pass through.

    The result of a view model is that of its last action, None if that was not enabled.
    """
    with within(run, context):
        returned = None
        for call in calls(work, root, context):
            returned = call()
        return returned


@contextmanager
def within(run: Run, context: RunContext) -> Iterator[None]:
    """Let the block be part of a run, in its session."""
    with running(run), working_in(context.session):
        yield


def calls(work: Work, root: object | None, context: RunContext) -> Sequence[Callable[[], object]]:
    """Return what to call for a work, one after the other. What a call returns may have to be awaited before the next.

    None of it is a generator, which would make a RuntimeError of the StopIteration that a work raises.
    """
    match work:
        case MethodWork():
            bound = _bound(work, root)
            return [partial(_call, bound, bound.method.parameters(type(root)), context.arguments)]
        case FunctionWork(function=function):
            return [partial(_call, function, function.parameters, context.arguments)]
        case ViewModelWork(view_model=view_model):
            instance = _view_model(view_model, root, context)
            return [partial(_act, action, instance) for action in view_model.actions.values()]


def _act(action: Action, view_model: ViewModel[Any]) -> object:
    return action.function(view_model) if action.is_enabled(view_model) else None


def _call(function: Callable[..., object], parameters: Parameters, arguments: Mapping[str, Any]) -> object:
    if not arguments:
        return function()
    given = parameters.bound(arguments)
    return function(*given.args, **given.kwargs)


def perform_action(work: ViewModelWork, action: Action, run: Run, context: RunContext) -> str | None:
    """Run one action of a view model without a root. Return its result as text. Its exceptions pass through."""
    with running(run), working_in(context.session):
        instance = _view_model(work.view_model, None, context)
        if not action.is_enabled(instance):
            return NOT_ENABLED
        result = action.function(instance)
        return None if result is None else printable(str(result))


def tell(work: Work, root: object | None, run: Run, context: RunContext, raised: tuple[Exception, str]) -> None:
    """Call a view model's `on_exception` with what its run raised, also as text. Its exceptions pass through."""
    if isinstance(work, ViewModelWork) and work.view_model.exception_handler is not None:
        with running(run), working_in(context.session):
            _view_model(work.view_model, root, context).handle(*raised)


def _view_model(cls: type[ViewModel[Any]], root: object | None, context: RunContext) -> ViewModel[Any]:
    """Create a view model on a root, in the session of the run, with the variables that it declares."""
    view_model = cls(root)
    view_model.session_of_run = context.session
    view_model._be_given({name: context.variables[name] for name in cls.variables.keys() & context.variables.keys()})
    for name, value in context.arguments.items():
        setattr(view_model, name, value)
    return view_model


def _check_root(work: Work, root: object | None) -> None:
    if work.root is None:
        if root is not None:
            raise WrongRoot(f"{work.name} has no root, but the ticket's RootId names a {type(root).__name__}.")
    elif root is None:
        raise WrongRoot(f"{work.name} needs a root of class {work.root.__name__}, but the ticket has no RootId.")
    elif not isinstance(root, work.root):
        raise WrongRoot(f"{work.name} needs a root of class {work.root.__name__}, not {type(root).__name__}.")


def _bound(work: MethodWork, root: object | None) -> BoundMethod[object]:
    # By name on the object's own class: a subclass may override the method.
    bound = attrgetter(work.method.name)(root)
    if not isinstance(bound, BoundMethod):
        own = f"{type(root).__name__}.{work.method.name}"
        raise WrongRoot(f"{own} overrides {work.name} but is not marked with @aw.method.")
    if bound.method.is_async != work.method.is_async:
        own = f"{type(root).__name__}.{work.method.name}"
        raise WrongRoot(f"{own} overrides {work.name}, and only one of the two is an async def. Write both alike.")
    return bound


def _named(precondition: Callable[..., object] | None) -> str:
    name = getattr(precondition, "__name__", "")
    return "" if name in ("", "<lambda>") else f" ({name})"


def is_gone(root: object) -> bool:
    """Return whether a run in the same transaction has deleted this object."""
    state = inspect(root)
    return bool(state.deleted or state.detached or (state.session is not None and root in state.session.deleted))

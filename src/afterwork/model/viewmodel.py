"""View models: named units of work with a root object, columns, and actions that run from top to bottom."""

import functools
import inspect as python
import typing
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, overload

from sqlalchemy.orm import Session
from typing_extensions import TypeVar

from afterwork.errors import BadArguments, BadDeclaration, shown
from afterwork.model.arguments.parameters import Arguments, Parameters
from afterwork.model.arguments.result import WorkResult
from afterwork.model.base import registry_of
from afterwork.model.functions import (
    check_arguments,
    check_async,
    check_callable,
    check_callable_alone,
    is_async,
)
from afterwork.model.lane import MAIN, Lane, checked_lane
from afterwork.model.method import HasTickets, Method, Ticket, checked_external
from afterwork.model.retry import Retry, checked_retry
from afterwork.model.timeout import checked_timeout
from afterwork.model.variable import Variable
from afterwork.model.when import Once, Timer, WhenStale

WAYS = (WhenStale, Timer, Once)
"""The ways to start a view model without a ticket."""

Root = TypeVar("Root", default=Any)
Result = TypeVar("Result")


class ViewModelNames:
    """`Customer.ViewModels`: the names of the view models that are rooted in a class, as constants."""

    def __init__(self, owner: type) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> str:
        known = ", ".join(sorted(self)) or "none"
        raise AttributeError(f"{self._owner.__name__} has no view model {name}. It has: {known}.")

    def __iter__(self) -> Iterator[str]:
        return (name for name in vars(self) if not name.startswith("_"))

    def _add(self, name: str) -> None:
        setattr(self, name, name)

    def _take(self, name: str) -> None:
        vars(self).pop(name, None)


class Model(HasTickets[Ticket]):
    """A mixin that declares to type checkers what classes have without it, too: `Customer.ViewModels`, and, of classes
    with machines, `order.state_machine_trigger`.

        class Base(aw.Model["SysAsyncTicket"], DeclarativeBase): ...

    With the name of the model's ticket class, `aw.later` returns that class for each method of an object, instead of
    `aw.AsyncTicket`.
    """

    ViewModels: ClassVar[ViewModelNames]
    state_machine_trigger: ClassVar[Method[Any, None]]


class Action:
    """A function of a view model that runs with it, in the order of the class body."""

    def __init__(self, function: Callable[[Any], object], enabled: Callable[[Any], object] | None) -> None:
        check_callable_alone(function, "@aw.action", may_await=True)
        if enabled is not None:
            check_callable(enabled, f"@aw.action on {function.__qualname__}: its enabled", ["self"])
        self.function = function
        self.enabled = enabled
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    @overload
    def __get__(self, target: None, owner: type) -> Self: ...
    @overload
    def __get__(self, target: object, owner: type) -> Callable[[], object]: ...
    def __get__(self, target: object | None, owner: type) -> Self | Callable[[], object]:
        return self if target is None else functools.partial(self.function, target)

    def is_enabled(self, view_model: "ViewModel[Any]") -> bool:
        """Return whether it runs now. True if nothing is declared."""
        return self.enabled is None or bool(self.enabled(view_model))


class OnException:
    """The function of a view model that is called after an action has raised."""

    def __init__(self, function: Callable[[Any, Exception], object]) -> None:
        self.function = function


@overload
def action(function: Callable[[Any], object], /) -> Action: ...
@overload
def action(*, enabled: Callable[[Any], object] | None = None) -> Callable[[Callable[[Any], object]], Action]: ...
def action(
    function: Callable[[Any], object] | None = None, /, *, enabled: Callable[[Any], object] | None = None
) -> Any:
    """Mark a function of a view model as one of its actions. `enabled` takes the view model; while it is false, the
    action is skipped. In an external view model it may be an `async def`. Raises `BadDeclaration` if the function
    needs arguments."""
    return functools.partial(Action, enabled=enabled) if function is None else Action(function, enabled)


def column(function: Callable[[Any], Result]) -> "Column[Result]":
    """Mark a function of a view model as a column: a calculated value, read as an attribute."""
    check_callable_alone(function, "@aw.column", may_yield=True)
    return Column(function)


class Column(property, Generic[Result]):
    """A value that a view model shows of its root."""

    if TYPE_CHECKING:

        @overload
        def __get__(self, target: None, owner: type, /) -> Self: ...
        @overload
        def __get__(self, target: object, owner: type | None = None, /) -> Result: ...
        def __get__(self, target: object | None, owner: type | None = None, /) -> Self | Result: ...


def on_exception(function: Callable[[Any, Exception], object]) -> OnException:
    """Mark the function to call after an action raised: in a transaction of its own, after the rollback. It is called
    with the view model and the exception. Raises `BadDeclaration` for one that can't be."""
    if not python.isfunction(function):
        raise BadDeclaration(f"@aw.on_exception marks functions, not {function!r}.")
    where = f"@aw.on_exception on {function.__qualname__}"
    check_callable(function, where, ["self", "the exception"])
    return OnException(function)


class ViewModel(Generic[Root, Ticket]):
    """A named unit of work on one root object, or on none.

        class TheCustomerNumberAssigner(aw.ViewModel, root=Customer):
            @aw.action
            def assign(self) -> None:
                self.root.assign_number()

    Its variables (`aw.variable`) are given by name when it is asked for: `aw.later(Refund(order, amount=12))`. Raises
    `BadArguments` for one that it doesn't have, or whose value can't be kept until it runs.

    `root=` gives the class of the root; `aw.ViewModel[Customer]` does the same and tells a type checker, and
    `aw.ViewModel[Customer, "SysAsyncTicket"]` tells it of which class the tickets are, too. Without a root it is
    unrooted, and `model=` may name the declarative base whose server runs it. `lane`, `external`, `retry` and `timeout`
    mean what they mean for `@aw.method`. In `on_exception`, `self.error_text` has the text of the exception.
    """

    lane: ClassVar[str | Lane | None] = MAIN
    """The lane of its runs. None: in parallel."""

    external: ClassVar[bool] = False
    """True: it runs with no transaction open, since it talks to other systems or takes long."""

    retry: ClassVar[Retry | None] = None
    """The policy for runs that raise. None: one attempt."""

    timeout: ClassVar[timedelta | None] = None
    """A longer run ends with `TimedOut`. None: the timeout of the server's settings."""

    when: ClassVar[WhenStale | Timer | Once | None] = None
    """The event that starts it without a ticket, such as `aw.Every(minutes=10)`. None: tickets only."""

    _parameters: ClassVar[Parameters]
    _result: ClassVar[WorkResult]

    root_class: ClassVar[type | None] = None
    model: ClassVar[object | None] = None
    actions: ClassVar[Mapping[str, Action]] = {}
    columns: ClassVar[Mapping[str, property]] = {}
    variables: ClassVar[Mapping[str, Variable]] = {}
    exception_handler: ClassVar[OnException | None] = None

    root: Root
    """The object that it works on."""

    error_text: str = ""
    """The text of the exception, in `on_exception`."""

    session_of_run: Session | None = None

    _of_server: Mapping[str, Any] = {}
    """The variables that the server gave to a run of it. A request for it does not carry them."""

    @overload
    def __init__(self: "ViewModel[None, Any]", root: None = None, **variables: Any) -> None: ...
    @overload
    def __init__(self, root: Root, **variables: Any) -> None: ...
    def __init__(self, root: Any = None, **variables: Any) -> None:
        self.root = root
        if variables:
            parameters_of_variables(type(self)).written((), variables)  # raises for what no run could be given
            vars(self).update(variables)

    def __init_subclass__(cls, *, root: type | None = None, model: object | None = None, **others: Any) -> None:
        super().__init_subclass__(**others)
        if root is not None and not isinstance(root, type):
            raise BadDeclaration(f"{cls.__name__}: its root is {shown(root)}. Give a mapped class: root=Customer.")
        _check_names(cls)
        handlers = [value for value in vars(cls).values() if isinstance(value, OnException)]
        if len(handlers) > 1:
            raise BadDeclaration(
                f"{cls.__name__} marks {len(handlers)} functions with @aw.on_exception. One is enough."
            )
        checked_timeout(cls.__name__, cls.timeout)
        checked_lane(cls.__name__, cls.lane)
        checked_external(cls.__name__, cls.external)
        actions = {**cls.actions, **{name: a for name, a in vars(cls).items() if isinstance(a, Action)}}
        _check_awaited(cls, actions)
        checked_retry(cls.__name__, cls.retry)
        _check_when(cls.__name__, cls.when)
        if model is not None:
            registry_of(model)  # raises for what is no model
            cls.model = model
        # Python may hold a class that was refused for a while. Without these, no model takes it for one of its own.
        cls.root_class = root or _root_of_base(cls) or cls.root_class
        cls.exception_handler = handlers[0] if handlers else cls.exception_handler
        cls.actions = actions
        cls.columns = {**cls.columns, **{name: c for name, c in vars(cls).items() if isinstance(c, Column)}}
        cls.variables = {**cls.variables, **{name: v for name, v in vars(cls).items() if isinstance(v, Variable)}}
        if cls.root_class is not None:
            if "ViewModels" not in vars(cls.root_class):
                cls.root_class.ViewModels = ViewModelNames(cls.root_class)  # type: ignore[attr-defined]
            cls.root_class.ViewModels._add(cls.__name__)  # type: ignore[attr-defined]

    def _be_given(self, variables: Mapping[str, Any]) -> None:
        """Take the variables of a server, by name."""
        self._of_server = variables
        vars(self).update(variables)

    def handle(self, error: Exception, text: str) -> None:
        """Call the view model's `on_exception`, if it has one, with the error that a run raised."""
        if self.exception_handler is not None:
            self.error_text = text
            self.exception_handler.function(self, error)


RESERVED = frozenset(name for name in vars(ViewModel) if not name.startswith("_")) | {"root"}
"""Names of every view model, which no action, column or variable can have."""


def parameters_of_variables(cls: type[ViewModel[Any, Any]]) -> Parameters:
    """Return the variables of a view model, as what a request may give."""
    parameters: Parameters | None = vars(cls).get("_parameters")
    if parameters is None:
        defaults = {name: variable.default for name, variable in cls.variables.items()}
        parameters = cls._parameters = Parameters.of_variables(cls.__name__, cls, cls.root_class, cls.model, defaults)
    return parameters


def result_of_actions(cls: type[ViewModel[Any, Any]]) -> WorkResult:
    """Return what a run of a view model may return: what the last of its actions does."""
    result: WorkResult | None = vars(cls).get("_result")
    if result is None:
        *_, last = cls.actions.values() or [Action(_nothing, None)]
        result = cls._result = WorkResult.of_function(cls.__name__, last.function, cls.root_class, cls.model)
    return result


def _nothing(view_model: ViewModel[Any, Any]) -> None:
    """Stand for the last action of a view model that has none."""


def variables_to_carry(view_model: ViewModel[Any, Any]) -> Arguments | None:
    """Return the variables that were set on a view model, for its run; None if none was.

    Raises `BadArguments`, also for another attribute that was set: no run would see it.
    """
    cls, own = type(view_model), dict(vars(view_model))
    if view_model.session_of_run is None and cls.__init__ is not ViewModel.__init__:
        made = vars(cls(view_model.root))  # as the run will make it
        own = {name: value for name, value in own.items() if name not in made or made[name] is not value}
    lost = own.keys() - cls.variables.keys() - {"root"}
    if lost and view_model.session_of_run is None:
        raise BadArguments(
            f"{cls.__name__}: {', '.join(sorted(lost))} was set, and its run would not see it. Declare it as a "
            f"variable: {min(lost)}: … = aw.variable()"
        )
    given = {
        name: own[name]
        for name in cls.variables
        if name in own and not (name in view_model._of_server and view_model._of_server[name] is own[name])
    }
    return parameters_of_variables(cls).written((), given) if given else None


def no_action(cls: type[ViewModel[Any, Any]]) -> str:
    """Return the sentence about a view model that does nothing."""
    return f"{cls.__name__} has no @aw.action, so a run of it would do nothing."


def _check_names(cls: type[ViewModel[Any, Any]]) -> None:
    for name, value in vars(cls).items():
        if name in RESERVED and isinstance(value, (Action, Column, OnException, Variable)):
            kind = type(value).__name__.lower()
            raise BadDeclaration(f"{cls.__name__}.{name}: each view model has this name. Give the {kind} another one.")
    check_arguments(cls.__init__, f"{cls.__name__}.__init__", ["self", "root"])


def _check_awaited(cls: type[ViewModel[Any, Any]], actions: Mapping[str, Action]) -> None:
    """Refuse an `async def` among the actions of a view model that runs where nothing is awaited."""
    awaited = [name for name, action in actions.items() if is_async(action.function)]
    for name in awaited:
        check_async(actions[name].function, f"{cls.__name__}.{name}", cls.external)
    if awaited and isinstance(cls.when, Once):
        raise BadDeclaration(f"{cls.__name__}.{awaited[0]}: what runs once is not awaited. Write it as def.")


def _check_when(name: str, when: object) -> None:
    """Refuse a `when` that starts nothing."""
    if when is None or isinstance(when, WAYS):
        return
    call = f" Call it: aw.{when.__name__}(…)." if isinstance(when, type) and issubclass(when, WAYS) else ""
    raise BadDeclaration(f"{name}: its when is {shown(when)}.{call} Give aw.Every, aw.Cron, aw.WhenStale or aw.Once.")


def _root_of_base(cls: type) -> type | None:
    """Return Customer for a class that derives from `aw.ViewModel[Customer]`, else None."""
    for base in getattr(cls, "__orig_bases__", ()):
        if typing.get_origin(base) is ViewModel:
            argument = typing.get_args(base)[0]
            return argument if isinstance(argument, type) and argument is not type(None) else None
    return None


def withdraw(view_model: type[ViewModel[Any]]) -> None:
    """Remove a view model from its model. From now on it does nothing, and nothing starts it."""
    if view_model.root_class is not None:
        view_model.root_class.ViewModels._take(view_model.__name__)  # type: ignore[attr-defined]
    view_model.root_class, view_model.model, view_model.actions, view_model.when = None, None, {}, None

"""`@aw.method`: functions of a class that may be asked for by name."""

import functools
import inspect as python
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Concatenate, Generic, Self, overload

from typing_extensions import ParamSpec, TypeVar

from afterwork.errors import BadDeclaration, BadRequest, shown
from afterwork.model.arguments.annotation import signature_of
from afterwork.model.arguments.parameters import SEVERAL, Arguments, Parameters
from afterwork.model.arguments.result import WorkResult
from afterwork.model.awaiting import asking
from afterwork.model.functions import check_async, check_callable, check_method, is_async
from afterwork.model.lane import MAIN, Lane, checked_lane
from afterwork.model.retry import Retry, checked_retry
from afterwork.model.static_method import StaticMethod, static_method
from afterwork.model.ticket import AsyncTicket
from afterwork.model.timeout import checked_timeout
from afterwork.model.when import Timer

Owner = TypeVar("Owner")
P = ParamSpec("P", default=...)
Result = TypeVar("Result")
Ticket = TypeVar("Ticket", default=AsyncTicket, covariant=True)  # noqa: PLC0105
"""The ticket class of a model, where the model names it."""


class HasTickets(Generic[Ticket]):
    """A class whose model tells type checkers which class its tickets are of: `aw.Model["SysAsyncTicket"]`."""


class BoundMethod(Generic[Result, Ticket, P]):
    """A method of one object: call it, ask `aw.can(…)` whether it may run now, or give it to `aw.later(…)`, which
    returns a `Ticket`."""

    __slots__ = ("method", "target")

    def __init__(self, method: "Method[Any, Result, P]", target: Any) -> None:
        self.method = method
        self.target = target

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self.method.function(self.target, *args, **kwargs)

    def given(self, *args: P.args, **kwargs: P.kwargs) -> "GivenWork[Ticket]":
        """Return the method with arguments, to be asked for: `aw.later(order.refund.given(Decimal("12.50")))`.

        They are checked, and written as JSON, by the annotations of the method's parameters: what is changed afterwards
        makes no difference. Parameters that are left out have the default that the code has when it runs.

        Raises `BadArguments`, which names the parameter, what it wants and what it got.
        """
        return GivenWork(self, self.method.parameters(type(self.target)).written(args, kwargs))

    def __repr__(self) -> str:
        return f"<method {type(self.target).__name__}.{self.method.name} of {self.target!r}>"


@dataclass(frozen=True, eq=False)
class GivenWork(Generic[Ticket]):
    """A method of an object, or a function, with the arguments that it is asked for with, for `aw.later`."""

    work: Any
    """The `BoundMethod` or `JobFunction`."""
    arguments: Arguments

    @property
    def text(self) -> str:
        """The arguments as a ticket's row has them, for rows that are inserted in bulk. Raises `BadArguments` if an
        object among them isn't saved yet."""
        return self.arguments.text()


@dataclass(frozen=True)
class RunOptions:
    """The options for the runs of a method, as `aw.method` takes it."""

    lane: str | Lane | None = MAIN
    external: bool = False
    retry: Retry | None = None
    timeout: timedelta | None = None


class Method(Generic[Owner, Result, P]):
    """A function of a class, marked as work that a ticket can name as `Class.method`."""

    def __init__(
        self,
        function: Callable[Concatenate[Owner, P], Result],
        *,
        precondition: Callable[[Any], object] | None = None,
        when: Timer | None = None,
        options: RunOptions = RunOptions(),
    ) -> None:
        check_method(function, "@aw.method", may_await=True)
        where = f"@aw.method on {function.__qualname__}"
        if precondition is not None:
            check_callable(precondition, f"{where}: its precondition", ["self"])
        if when is not None and not isinstance(when, Timer):
            raise BadDeclaration(
                f"{where}: its when is {shown(when)}. A method has a timer there, "
                "aw.Every or aw.Cron; aw.Once and aw.WhenStale are for view models."
            )
        self.function = function
        self.required = needed_by(function)
        """The names of the parameters that have no default."""
        if when is not None and self.required:
            raise BadDeclaration(
                f"{where}: it needs {', '.join(self.required)}, but a timer passes only self. Give them defaults."
            )
        self._parameters: dict[type, Parameters] = {}
        self._results: dict[type, WorkResult] = {}
        self.name = function.__name__
        self.precondition = precondition
        self.when = when
        self.lane = checked_lane(where, options.lane)
        self.external = checked_external(where, options.external)
        check_async(function, where, self.external)
        self.is_async = is_async(function)
        """True for an `async def`, which runs in the event loop of its server."""
        self.retry = checked_retry(where, options.retry)
        self.timeout = checked_timeout(where, options.timeout)
        self.for_many: Callable[[list[Owner]], object] | None = None
        """Does for several objects at once what `function` does for one."""
        functools.update_wrapper(self, function)  # type: ignore[arg-type]

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, target: None, owner: type) -> Self: ...
    @overload
    def __get__(self, target: HasTickets[Ticket], owner: type) -> BoundMethod[Result, Ticket, P]: ...
    @overload
    def __get__(self, target: object, owner: type) -> BoundMethod[Result, AsyncTicket, P]: ...
    def __get__(self, target: object | None, owner: type) -> Self | BoundMethod[Result, Any, P]:
        return self if target is None else BoundMethod(self, target)

    def parameters(self, cls: type) -> Parameters:
        """Return its parameters, as they are meant for the objects of a class."""
        if cls not in self._parameters:
            self._parameters[cls] = Parameters.of_function(f"{cls.__name__}.{self.name}", self.function, cls)
        return self._parameters[cls]

    def result(self, cls: type) -> WorkResult:
        """Return what it may return, as it is meant for the objects of a class."""
        if cls not in self._results:
            self._results[cls] = WorkResult.of_function(f"{cls.__name__}.{self.name}", self.function, cls)
        return self._results[cls]

    @property
    def of_an_object(self) -> str:
        """The sentence about what asks for it without an object."""
        return f"{self.function.__qualname__} is a method of the class, and works on one of its objects."

    def may_run(self, target: Owner) -> bool:
        """Return whether the precondition holds for `target` now. True without one."""
        return self.precondition is None or bool(self.precondition(target))

    @overload
    def many(self, function: Callable[[list[Owner]], None], /) -> Callable[[list[Owner]], None]: ...
    @overload
    def many(self, function: Callable[[list[Owner]], list[Result]], /) -> Callable[[list[Owner]], list[Result]]: ...
    def many(self, function: Callable[[list[Owner]], Any], /) -> Callable[[list[Owner]], Any]:
        """Register a function that does for several objects, in one call, what the method does for one.

            @assign_number.many
            @staticmethod
            def assign_numbers(customers: Sequence["Customer"]) -> None: ...

        It is given the roots of tickets for the method that follow each other in a batch: each root once, in the order
        of the tickets, after the precondition has held for all of them. It must leave the same behind as the method
        called on one after the other. If it raises, or its changes can't be saved, they are undone, and the method
        itself does these tickets, one by one. If it returns a list, that has the result for each root, in their order.

        Returns the function. Raises `BadDeclaration` if it can't be called with one argument, is asynchronous or a
        generator; if the method is external; or if it has such a function already.
        """
        self.for_many = checked_for_many(self, function)
        # With the method's own name, as setters of properties have it, it would take the method's place in its class.
        return self if function.__name__ == self.name else function  # type: ignore[return-value]


def needed_by(function: Callable[..., Any]) -> list[str]:
    """Return the names of a method's parameters without defaults, `self` left out."""
    _, *others = signature_of(function).parameters.values()
    return [each.name for each in others if each.default is each.empty and each.kind not in SEVERAL]


def checked_external(where: str, external: object) -> bool:
    """Return whether a work is declared external. Raises `BadDeclaration` unless it is True or False."""
    if not isinstance(external, bool):
        raise BadDeclaration(f"{where}: its external is {shown(external)}. Give True or False.")
    return external


def checked_for_many(method: Method[Any, Any], given: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
    """Return the function that does a method for many, free of `staticmethod`. Refuse one that could never do it."""
    mark, function = f"@{method.name}.many", given.__func__ if isinstance(given, staticmethod) else given
    if not python.isfunction(function):
        raise BadDeclaration(f"{mark} marks functions, not {given!r}.")
    where = f"{mark} on {function.__qualname__}"
    if method.external:
        raise BadDeclaration(
            f"{where}: {method.name} is external, so each of its runs has a lease and ends by itself. Leave out "
            f"external=True, or {mark}."
        )
    if parameters := list(signature_of(method.function).parameters)[1:]:
        raise BadDeclaration(
            f"{where}: {method.name} has parameters ({', '.join(parameters)}), which each ticket may give differently. "
            f"Leave out the parameters, or {mark}."
        )
    if method.for_many is not None:
        raise BadDeclaration(f"{where}: {method.name} has a function for many already, {method.for_many.__qualname__}.")
    if (
        python.iscoroutinefunction(function)
        or python.isasyncgenfunction(function)
        or python.isgeneratorfunction(function)
    ):
        raise BadDeclaration(f"{where}: its work must be done when it returns. Write it as def, without yield.")
    try:
        python.signature(function).bind([])
    except TypeError as error:
        raise BadDeclaration(
            f"{where}: it is called with the list of roots and nothing else, no self ({error})."
        ) from None
    return function


@overload
def method(function: "staticmethod[P, Result]", /) -> StaticMethod[P, Result]: ...  # type: ignore[overload-overlap]
@overload
def method(function: Callable[Concatenate[Owner, P], Result], /) -> Method[Owner, Result, P]: ...
@overload
def method(
    *,
    precondition: Callable[[Any], object] | None = None,
    lane: str | Lane | None = MAIN,
    external: bool = False,
    retry: Retry | None = None,
    when: Timer | None = None,
    timeout: timedelta | None = None,
) -> Callable[[Callable[Concatenate[Owner, P], Result]], Method[Owner, Result, P]]: ...
def method(
    function: Callable[..., Any] | None = None,
    /,
    *,
    precondition: Callable[[Any], object] | None = None,
    lane: str | Lane | None = MAIN,
    external: bool = False,
    retry: Retry | None = None,
    when: Timer | None = None,
    timeout: timedelta | None = None,
) -> Any:
    """Mark a function of a class as work that a ticket can ask for.

    `precondition` takes the object and says whether the work may run now; a ticket whose turn comes while it is false
    ends with that in its Error. Calling the method from Python does not check it; `aw.can(obj.method)` does.
    `lane` gives it exclusive access with all jobs of that lane; None runs it in parallel. `external=True` runs it
    outside of a transaction, for work that talks to other systems or takes long; such a method may be an `async def`,
    which waits without a thread. `retry` says what happens when it
    raises. `when` is a timer (`aw.Every`, `aw.Cron`) that starts it on each object that its criteria finds.
    A run that takes longer than `timeout` ends with `TimedOut`; None means the one of the server's settings.

        @aw.method(precondition=lambda self: self.number is None)
        def assign_number(self) -> None: ...

    Its parameters, if it has any, are given when it is asked for: `aw.later(order.refund.given(Decimal("12.50")))`.
    Above `@staticmethod`, it marks a function that needs no object: texts call it by the class.

    Raises `BadDeclaration` if the function is an `async def` and not external, or `when` is no timer, or `timeout` no
    duration; or if a timer starts it and a parameter has no default; or for options above `@staticmethod`.
    """

    def mark(target: Any) -> Method[Any, Any] | StaticMethod[..., Any]:
        options = RunOptions(lane, external, retry, timeout)
        if isinstance(target, staticmethod):
            return static_method(target, is_plain=(precondition, when, options) == (None, None, RunOptions()))
        return Method(target, precondition=precondition, when=when, options=options)

    return mark if function is None else mark(function)


@asking("aw.can(…)")
def can(bound: BoundMethod[Any, Any] | GivenWork[Any]) -> bool:
    """Return whether a method of an object may run now: `aw.can(customer.assign_number)`. Raises what its precondition
    raises, and `BadRequest` for anything else."""
    bound = bound.work if isinstance(bound, GivenWork) else bound
    if isinstance(bound, Method):
        raise BadRequest(f"{bound.of_an_object} Name the object: aw.can(obj.{bound.name}).")
    if not isinstance(bound, BoundMethod):
        raise BadRequest(
            f"{shown(bound)} is no method of an object. Give one without calling it: customer.assign_number"
        )
    return bound.method.may_run(bound.target)

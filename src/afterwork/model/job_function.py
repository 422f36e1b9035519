"""`@app.job`: plain functions that may be asked for by name, without a root."""

import functools
import inspect as python
from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic

from afterwork.errors import BadDeclaration, shown
from afterwork.model.arguments.parameters import Parameters
from afterwork.model.arguments.result import WorkResult
from afterwork.model.functions import check_async, check_is_done, is_async
from afterwork.model.lane import checked_lane
from afterwork.model.method import GivenWork, P, Result, RunOptions, Ticket, checked_external
from afterwork.model.retry import checked_retry
from afterwork.model.timeout import checked_timeout
from afterwork.model.when import Timer

PLAIN = RunOptions()


def _checked(function: object) -> str:
    """Return the place of a function in messages. Raises `BadDeclaration` for what is none, or only begins its work."""
    if not python.isfunction(function):
        raise BadDeclaration(f"@app.job marks functions, not {function!r}.")
    where = f"@app.job on {function.__qualname__}"
    check_is_done(function, where, may_await=True)
    return where


class JobFunction(Generic[Result, Ticket, P]):
    """A function that runs without a root: call it, or give it to `aw.later(…, session=session)`.

    `function` is what it calls, `model` the base of its application, and `name` what tickets call it, the function's
    own name if None. `when` may be a timer without criteria; `options` are its lane, retry policy and time-out, and
    whether it is external. In a run, `aw.session()` is the session to work with. Raises `BadDeclaration` for a function
    that could never run, and for options that can't be meant.
    """

    def __init__(
        self,
        function: Callable[P, Result],
        model: object,
        name: str | None = None,
        when: Timer | None = None,
        options: RunOptions = PLAIN,
    ) -> None:
        where = _checked(function)
        if name is not None and (not isinstance(name, str) or not name):
            raise BadDeclaration(f"{where}: its name is {shown(name)}. Give a text.")
        if when is not None and not isinstance(when, Timer):
            raise BadDeclaration(f"{where}: its when is {shown(when)}. Give a timer, aw.Every or aw.Cron.")
        self.function = function
        self.name = name or function.__name__
        self.model = model
        self.when = when
        self.lane = checked_lane(where, options.lane)
        self.external = checked_external(where, options.external)
        check_async(function, where, self.external)
        self.is_async = is_async(function)
        self.retry = checked_retry(where, options.retry)
        self.timeout = checked_timeout(where, options.timeout)
        functools.update_wrapper(self, function)
        if when is not None and self.parameters.required:
            needed = ", ".join(self.parameters.required)
            raise BadDeclaration(f"{where}: it needs {needed}, but a timer passes nothing. Give them defaults.")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Result:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<job {self.name}>"

    @cached_property
    def parameters(self) -> Parameters:
        """Its parameters, as those that ask for it give them."""
        return Parameters.of_function(self.name, self.function, None, self.model)

    @cached_property
    def result(self) -> WorkResult:
        """The values that it may return."""
        return WorkResult.of_function(self.name, self.function, None, self.model)

    def given(self, *args: P.args, **kwargs: P.kwargs) -> GivenWork[Ticket]:
        """Return the function with arguments: `aw.later(greet.given("Ann"), session=session)`.

        They are checked and kept as those of a method are, see `BoundMethod.given`. Raises `BadArguments`.
        """
        return GivenWork(self, self.parameters.written(args, kwargs))

    def is_same_as(self, other: "JobFunction[Any, Any]") -> bool:
        """Return whether both come from one definition, as after its module was loaded again."""
        own, others = self.function, other.function
        return (own.__module__, own.__qualname__) == (others.__module__, others.__qualname__)

"""The works that a ticket can name: a view model, a method of a class, or a function. Nothing else can run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Mapper

from afterwork.model.arguments.parameters import Parameters
from afterwork.model.arguments.result import WorkResult
from afterwork.model.functions import is_async
from afterwork.model.job_function import JobFunction
from afterwork.model.lane import Lane, lane_name
from afterwork.model.machine.declaration import EventMethod, Machine, declared_machines
from afterwork.model.method import Method
from afterwork.model.retry import Retry
from afterwork.model.viewmodel import ViewModel, parameters_of_variables, result_of_actions


@dataclass(frozen=True)
class _Work:
    name: str
    root: type | None

    def _declared(self) -> Method[Any, Any] | type[ViewModel[Any]] | JobFunction[Any, Any]:
        """The method, view model or function: each declares how it runs."""
        raise NotImplementedError

    @property
    def parameters(self) -> Parameters:
        """The parameters of a method or function, or the variables of a view model: a ticket may give them."""
        raise NotImplementedError

    @property
    def result(self) -> WorkResult:
        """The values that it may return: a method or function itself, a view model by the last of its actions."""
        raise NotImplementedError

    @property
    def lane(self) -> str:
        """The lane of tickets without one of their own, as a row names it."""
        return lane_name(self._declared().lane)

    @property
    def declared_lane(self) -> str | Lane | None:
        """The lane as it is declared."""
        return self._declared().lane

    @property
    def external(self) -> bool:
        return self._declared().external

    @property
    def is_async(self) -> bool:
        """Return whether it has an `async def`, so that it runs in the event loop of its server."""
        raise NotImplementedError

    @property
    def retry(self) -> Retry | None:
        return self._declared().retry

    @property
    def timeout(self) -> timedelta | None:
        return self._declared().timeout


@dataclass(frozen=True)
class MethodWork(_Work):
    """`Customer.assign_number`."""

    method: Method[Any, Any]

    def _declared(self) -> Method[Any, Any]:
        return self.method

    @property
    def is_async(self) -> bool:
        return self.method.is_async

    @property
    def parameters(self) -> Parameters:
        return self.method.parameters(self.root or object)

    @property
    def result(self) -> WorkResult:
        return self.method.result(self.root or object)


@dataclass(frozen=True)
class StateScopedWork(MethodWork):
    """`Order.escalate while flow is in shipped`: a method whose request lasts as long as a state."""

    machine: str
    state: str


@dataclass(frozen=True)
class FunctionWork(_Work):
    """`tidy`, a function that is marked with `@app.job`."""

    function: JobFunction[Any, Any]

    def _declared(self) -> JobFunction[Any, Any]:
        return self.function

    @property
    def is_async(self) -> bool:
        return self.function.is_async

    @property
    def parameters(self) -> Parameters:
        return self.function.parameters

    @property
    def result(self) -> WorkResult:
        return self.function.result


@dataclass(frozen=True)
class ViewModelWork(_Work):
    """`TheCustomerNumberAssigner`."""

    view_model: type[ViewModel[Any]]

    def _declared(self) -> type[ViewModel[Any]]:
        return self.view_model

    @property
    def is_async(self) -> bool:
        return any(is_async(action.function) for action in self.view_model.actions.values())

    @property
    def parameters(self) -> Parameters:
        return parameters_of_variables(self.view_model)

    @property
    def result(self) -> WorkResult:
        return result_of_actions(self.view_model)


Work = MethodWork | ViewModelWork | FunctionWork


def methods_of(mapper: Mapper[Any]) -> Sequence[MethodWork]:
    """Return the marked methods and events of a mapped class, inherited ones included, each under this class's name."""
    cls = mapper.class_
    names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
    members = ((name, vars_lookup(cls, name)) for name in names)
    methods = {name: value for name, value in members if isinstance(value, Method)}
    events = {event.name: event for machine in declared_machines(cls) for event in machine.events.values()}
    return [MethodWork(f"{cls.__name__}.{name}", cls, method) for name, method in {**methods, **events}.items()]


def vars_lookup(cls: type, name: str) -> object:
    """Return what a class has under a name, without calling any descriptor; None if it has nothing."""
    return next((vars(base)[name] for base in cls.__mro__ if name in vars(base)), None)


def name_of_method(mapper: Mapper[Any], method: Method[Any, Any]) -> str:
    """Return the name of a method as `aw.later` writes it: with the least derived mapped class that has it."""
    line = [*mapper.iterate_to_root()]
    kind = Machine if isinstance(method, EventMethod) else Method
    name = method.name.partition(".")[0]
    owner = next(m for m in reversed(line) if isinstance(vars_lookup(m.class_, name), kind))
    return f"{owner.class_.__name__}.{method.name}"

"""All texts of a model, each with its place, and what is wrong with those that can never run."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from sqlalchemy.orm import Mapper, registry

from afterwork.errors import LanguageError
from afterwork.model.derived import Derived
from afterwork.model.expression import Expression, expression_of
from afterwork.model.machine.chart import in_words
from afterwork.model.machine.declaration import Machine
from afterwork.model.method import Method
from afterwork.model.static_method import StaticMethod
from afterwork.model.timer import TimedWork, criteria_problem
from afterwork.model.viewmodel import ViewModel
from afterwork.model.work import vars_lookup


@dataclass(frozen=True)
class PlacedText:
    """A text of a model: its place, the class of its `self`, and the variables that it may name.

    `target` is the class of what it is called with: that of `self`, or a view model.
    """

    place: str
    expression: Expression
    target: type
    cls: type | None
    variables: Collection[str] = ()

    def problem(self, model: registry) -> str | None:
        """Return what is wrong with it; None if it can run."""
        try:
            self.expression.prepare(self.target, model, self.cls, self.variables)
        except LanguageError as error:
            return f"{self.place}: {error}"
        return None


def text_problems(
    model: registry,
    mappers: Iterable[Mapper[Any]],
    view_models: Iterable[type[ViewModel[Any]]],
    timers: Mapping[str, TimedWork],
) -> Iterator[str]:
    """Yield what is wrong with the texts of a model, each with its place."""
    classes = [mapper.class_ for mapper in mappers]
    texts = [text for cls in classes for text in _of_class(cls)]
    texts += [text for view_model in view_models for text in _of_view_model(view_model, classes)]
    for text in texts:
        if (problem := text.problem(model)) is not None:
            yield problem
    for timer in timers.values():
        yield from _criteria_problems(timer)


def _placed(place: str, function: object, cls: type | None) -> Iterator[PlacedText]:
    expression = expression_of(function)
    if expression is not None:
        yield PlacedText(place, expression, cls or type(None), cls)


def _of_class(cls: type) -> Iterator[PlacedText]:
    """Yield the texts that a class has itself, or from classes that are not mapped."""
    mapped_above = [base for base in cls.__mro__[1:] if "__mapper__" in vars(base)]
    for name in dict.fromkeys(name for base in cls.__mro__ for name in vars(base)):
        declared = vars_lookup(cls, name)
        if any(vars_lookup(base, name) is declared for base in mapped_above):
            continue
        place = f"{cls.__name__}.{name}"
        match declared:
            case Method():
                yield from _placed(place, declared.function, cls)
                yield from _placed(f"The precondition of {place}", declared.precondition, cls)
            case StaticMethod():
                yield from _placed(place, declared.function, None)
            case Derived():
                yield from _placed(place, declared.function, cls)
            case property():
                yield from _placed(place, declared.fget, cls)
            case Machine():
                yield from _of_machine(place, declared, cls)
            case FunctionType():  # which a machine may name as a guard or an action
                yield from _placed(place, declared, cls)


def _of_machine(place: str, machine: Machine, cls: type) -> Iterator[PlacedText]:
    for state in machine.chart.states_map.values():
        for when, callbacks in (("entering", state.enter), ("leaving", state.exit)):
            for callback in callbacks:
                yield from _placed(f"{place}, {when} {state.id}", callback.func, cls)
        for transition in state.transitions:
            name = in_words(transition)
            for guard in transition.cond:
                yield from _placed(f"{place}, the guard of {name}", guard.func, cls)
            for callbacks in (transition.validators, transition.before, transition.on, transition.after):
                for callback in callbacks:
                    yield from _placed(f"{place}, {name}", callback.func, cls)


def _of_view_model(view_model: type[ViewModel[Any]], classes: Collection[type]) -> Iterator[PlacedText]:
    root, name = view_model.root_class, view_model.__name__
    functions: list[tuple[str, Callable[..., Any] | None]] = []
    for part, action in view_model.actions.items():
        functions += [(f"{name}.{part}", action.function), (f"The enabled of {name}.{part}", action.enabled)]
    functions += [(f"{name}.{part}", column.fget) for part, column in view_model.columns.items()]
    for place, function in functions:
        expression = expression_of(function)
        if expression is not None and (root is None or root in classes):
            yield PlacedText(place, expression, view_model, root, view_model.variables)


def _criteria_problems(timer: TimedWork) -> Iterator[str]:
    """Yield what is wrong with the criteria of a timer, which has to become SQL."""
    expression = expression_of(timer.when.criteria)
    if expression is None or timer.root is None:
        return
    try:
        if timer.variables:
            expression.compiled(timer.root.registry, None, timer.variables)
        elif problem := criteria_problem(expression.select(timer.root.registry, {}), timer.root):
            yield f"{timer.name}: {problem}"
    except LanguageError as error:
        yield f"The criteria of {timer.name}: {error}"

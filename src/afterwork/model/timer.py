"""Works of a model that start by the passage of time, and actions that run once per database."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, inspect
from sqlalchemy.orm import Mapper

from afterwork.errors import BadCriteria, shown
from afterwork.model.expression import expression_of
from afterwork.model.functions import takes_any
from afterwork.model.lane import lane_name
from afterwork.model.viewmodel import Action
from afterwork.model.when import DECLARED, Once, Timer
from afterwork.model.work import FunctionWork, MethodWork, ViewModelWork, Work, vars_lookup


@dataclass(frozen=True)
class TimedWork:
    """A view model or method that a timer starts. Without a `root`, it has one run for each due time."""

    work: Work
    when: Timer
    root: Mapper[Any] | None

    @property
    def name(self) -> str:
        return self.work.name

    @property
    def lane(self) -> str:
        """The lane of its runs, as their rows say it."""
        return self.work.lane if self.when.lane == DECLARED else lane_name(self.when.lane)

    @property
    def variables(self) -> Mapping[str, Any]:
        """The variables that its runs can be given, with their defaults."""
        declared = self.work.view_model.variables if isinstance(self.work, ViewModelWork) else {}
        return {name: variable.default for name, variable in declared.items()}

    def criteria(self, variables: Any) -> Select[Any]:
        """Return the query for the objects of a round. Raises `BadCriteria` if the declaration gives none."""
        query = self.when.criteria
        assert self.root is not None
        if (expression := expression_of(query)) is not None:
            query = expression.select(self.root.registry, {name: getattr(variables, name) for name in self.variables})
        elif not isinstance(query, Select):
            query = query(*([variables] if takes_any(query) else []))
        if problem := criteria_problem(query, self.root):
            raise BadCriteria(self.name, problem)
        return query  # type: ignore[no-any-return]


def timers_of(
    works: Mapping[str, Work], classes: Mapping[str, Mapper[Any]], problems: list[str]
) -> dict[str, TimedWork]:
    """Return the timers of a model, by the names of their works. Adds what is wrong with them to `problems`."""
    timers: dict[str, TimedWork] = {}
    for work in works.values():
        when = _when(work)
        if when is not None:
            mapper = None if work.root is None else next((m for m in classes.values() if m.class_ is work.root), None)
            timed = timers[work.name] = TimedWork(work, when, mapper)
            problems += [f"{work.name}: {problem}" for problem in _problems(timed)]
    return timers


def _when(work: Work) -> Timer | None:
    match work:
        case ViewModelWork(view_model=view_model):
            return view_model.when if isinstance(view_model.when, Timer) else None
        case MethodWork(method=method, root=cls):
            # The criteria of the inherited method selects this class's objects already.
            inherits = cls is not None and any(vars_lookup(base, method.name) is method for base in cls.__mro__[1:])
            return None if inherits else method.when
        case FunctionWork(function=function):
            return function.when


def _problems(timed: TimedWork) -> Iterable[str]:
    criteria = timed.when.criteria
    if timed.work.root is None:
        if criteria is not None:
            yield "it has a criteria but no root class, so nothing could be done with what is found. Give it root=…."
    elif criteria is None:
        yield f"its timer needs a criteria that says for which {timed.work.root.__name__} objects it runs."
    elif timed.root is None:
        yield f"its timer needs a root that is a mapped class, and {timed.work.root.__name__} is not one."
    elif (isinstance(criteria, Select) or not callable(criteria)) and (
        problem := criteria_problem(criteria, timed.root)
    ):
        yield problem


def criteria_problem(criteria: Any, root: Mapper[Any]) -> str:
    """Return the reason why something is no criteria for objects of a class; "" if it is one."""
    wanted = f"The criteria must be select({root.class_.__name__}), with any conditions"
    if not isinstance(criteria, Select):
        return f"{wanted}, or a function that returns that. It is {shown(criteria)}."
    described = criteria.column_descriptions
    entity = described[0].get("entity") if len(described) == 1 else None
    if entity is None or described[0].get("expr") is not entity:
        return f"{wanted}. It selects {', '.join(str(column.get('name')) for column in described)}."
    selected = inspect(entity).mapper.class_
    if not issubclass(selected, root.class_):
        return f"{wanted}. It selects {selected.__name__}."
    return ""


@dataclass(frozen=True)
class OnceAction:
    """One action that runs once. The database remembers it by its `name`."""

    name: str
    work: ViewModelWork
    action: Action


def once_of(works: Mapping[str, Work], problems: list[str]) -> dict[str, list[OnceAction]]:
    """Return the actions that run once, from top to bottom, by the names of their view models.

    Adds what is wrong with them to `problems`.
    """
    actions: dict[str, list[OnceAction]] = {}
    for work in works.values():
        if isinstance(work, ViewModelWork) and isinstance(work.view_model.when, Once):
            problems += [f"{work.name} has when = aw.Once() {problem}" for problem in _once_problems(work)]
            actions[work.name] = [
                OnceAction(f"{work.name}.{name}", work, action) for name, action in work.view_model.actions.items()
            ]
    return actions


def _once_problems(work: ViewModelWork) -> Iterable[str]:
    if work.root is not None:
        yield (
            f"and a root class. What runs once per database has no root: take root={work.root.__name__} away, and find "
            "the objects by aw.session(self)."
        )
    if work.retry is not None:
        yield "and a retry. What runs at most once is not tried again: take the retry away."
    if work.timeout is not None:
        yield "and a timeout, which tickets and timers know. Take it away, and have the action call aw.progress(…)."

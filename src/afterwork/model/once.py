"""The actions that run once per database: those of view models with `when = aw.Once()`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from afterwork.model.viewmodel import Action
from afterwork.model.when import Once
from afterwork.model.work import ViewModelWork, Work


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
            problems += [f"{work.name} has when = aw.Once() {problem}" for problem in _problems(work)]
            actions[work.name] = [
                OnceAction(f"{work.name}.{name}", work, action) for name, action in work.view_model.actions.items()
            ]
    return actions


def _problems(work: ViewModelWork) -> Iterable[str]:
    if work.root is not None:
        yield (
            f"and a root class. What runs once per database has no root: take root={work.root.__name__} away, and find "
            "the objects by aw.session(self)."
        )
    if work.retry is not None:
        yield "and a retry. What runs at most once is not tried again: take the retry away."
    if work.timeout is not None:
        yield "and a timeout, which tickets and timers know. Take it away, and have the action call aw.progress(…)."

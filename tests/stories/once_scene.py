"""An upgrade whose actions are written down, and each add a task."""

from typing import Any

import pytest

import afterwork as aw
from tests.support.office import Office

KINDS = pytest.mark.parametrize("external", [False, True], ids=["inside", "external"])


def upgrade(office: Office, *names: str, broken: Any = (), **parts: Any) -> None:
    """A view model Upgrade whose actions are written down, and each add a task of its own; some then raise."""

    def step(number: int, name: str) -> Any:
        def run(self: Any) -> str:
            office.log.append(name)
            aw.session(self).add(office.task(id=100 + number))
            if name in broken:
                raise ValueError(f"{name} is broken")
            return f"{name} went well"

        run.__name__ = name
        return aw.action(run)

    actions = {name: step(number, name) for number, name in enumerate(names)}
    office.timer("Upgrade", root=False, when=aw.Once(), **{"work": None, **parts, **actions})


def only_in_model(office: Office, *names: str, **parts: Any) -> None:
    """The same after another upgrade of the application: the former view model is gone."""
    office.kept[-1].when = None  # type: ignore[attr-defined]
    office.kept[-1].model = object()  # type: ignore[attr-defined]
    upgrade(office, *names, **parts)


def tasks(office: Office) -> int:
    found: int = office.sql("SELECT count(*) FROM task")
    return found

"""What can be read of actions that run once per database."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from afterwork.model.inspection import ModelInfo
from afterwork.store import once, progress
from afterwork.store.once import OnceRow
from afterwork.store.progress import ReportedProgress

OnceState = Literal["waiting", "running", "done", "failed"]


@dataclass(frozen=True)
class OnceView:
    """An action that runs once per database, as it is shown. Moments are in UTC. `waits_for` names the action above it
    that has failed, without which it would run; `said` is how far it says to be by `aw.progress`, while it goes on.
    `known` says that the model has it."""

    name: str
    state: OnceState
    began: datetime | None
    ended: datetime | None
    seconds: float | None
    result: str | None
    error: str | None
    waits_for: str | None
    known: bool
    said: ReportedProgress | None = None


def names(model: ModelInfo) -> Sequence[str]:
    """The actions of the model that run once, in their order."""
    return [one.name for actions in model.once.values() for one in actions]


def views(connection: Connection, model: ModelInfo) -> list[OnceView]:
    """What runs once per database: the actions of the model in their order, then others that have run here."""
    rows = once.rows(connection)
    said = progress.of_tickets(connection, [once.KEY + name for name in [*rows, *names(model)]])
    found = []
    for actions in model.once.values():
        failed: str | None = None
        for one in actions:
            row = rows.pop(one.name, None)
            found.append(_view(one.name, row, failed, known=True))
            failed = one.name if row is not None and row.error is not None else failed
    found += [_view(name, row, None, known=False) for name, row in sorted(rows.items())]
    return [replace(one, said=said.get(once.KEY + one.name)) for one in found]


def _view(name: str, row: OnceRow | None, failed: str | None, known: bool) -> OnceView:
    if row is None:
        return OnceView(name, "waiting", None, None, None, None, None, failed, known)
    state: OnceState = "running" if row.ended is None else "done" if row.error is None else "failed"
    return OnceView(name, state, row.began, row.ended, row.seconds, row.result, row.error, None, known)

"""Actions that run once per database."""

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
    """An action that runs once per database. Timestamps are in UTC.

    `waits_for` names the failed action before it that holds it up; `said` is the progress that it reports while it
    runs. `known` says that the model has it.
    """

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
    """Return the names of the model's actions that run once, in their order."""
    return [action.name for actions in model.once.values() for action in actions]


def views(connection: Connection, model: ModelInfo) -> list[OnceView]:
    """Return the actions that run once: those of the model in their order, then others that have run here."""
    rows = once.rows(connection)
    said = progress.of_tickets(connection, [once.KEY + name for name in [*rows, *names(model)]])
    shown: list[OnceView] = []
    for actions in model.once.values():
        failed: str | None = None
        for action in actions:
            row = rows.pop(action.name, None)
            shown.append(_view(action.name, row, failed, known=True))
            failed = action.name if row is not None and row.error is not None else failed
    shown += [_view(name, row, None, known=False) for name, row in sorted(rows.items())]
    return [replace(action, said=said.get(once.KEY + action.name)) for action in shown]


def _view(name: str, row: OnceRow | None, failed: str | None, known: bool) -> OnceView:
    if row is None:
        return OnceView(name, "waiting", None, None, None, None, None, failed, known)
    state: OnceState = "running" if row.ended is None else "done" if row.error is None else "failed"
    return OnceView(name, state, row.began, row.ended, row.seconds, row.result, row.error, None, known)

"""The source of actions that run once per database: those of an upgrade, each at most once ever, in order.

After a failure, the actions below it wait for a person.
"""

import uuid
from collections.abc import Generator, Sequence
from datetime import datetime

from sqlalchemy import Connection

from afterwork.jobs.run import Succeeded
from afterwork.jobs.source import Due, EndedRuns, OwnWork, Source, SourceContext, WorkerHandle
from afterwork.model.timer import OnceAction
from afterwork.sources.once_runs import OnceRunner
from afterwork.store import leases
from afterwork.store import once as log
from afterwork.store.once import OnceRow

ONCE = OwnWork("once", is_exclusive=True)


class OnceSource(Source):
    """The once actions of one model in one database."""

    own = ONCE

    def __init__(self, runner: OnceRunner, view_models: Sequence[Sequence[OnceAction]]) -> None:
        self.runner, self.view_models = runner, view_models

    def due(self, connection: Connection, now: datetime) -> Due:
        return Due({ONCE: [0]} if self._due(connection) else {})

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        due = self._due(connection)
        leases.ensure_lanes(connection, {action.work.lane for action, _ in due})
        connection.commit()
        for action, row in due:
            if row is not None:
                yield from self.runner.end_lost(connection, action, row)
                continue
            for following in self._from(action):
                outcome = self.runner.run(connection, following, worker)
                if outcome is not None:
                    yield [(self.runner.run_of(following), outcome)]
                if not isinstance(outcome, Succeeded):
                    break

    def _due(self, connection: Connection) -> list[tuple[OnceAction, OnceRow | None]]:
        """Return the first action of each view model that has not succeeded, unless it failed or its lane is paused.
        Each comes with its row, if it has begun."""
        rows = log.rows(connection)
        due = []
        for actions in self.view_models:
            for action in actions:
                row = rows.get(action.name)
                if row is None or row.ended is None:
                    due.append((action, row))
                    break
                if row.error is not None:
                    break
        paused = leases.paused(connection) if due else set()
        return [(action, row) for action, row in due if row is not None or action.work.lane not in paused]

    def _from(self, first: OnceAction) -> Sequence[OnceAction]:
        (own,) = (actions for actions in self.view_models if first in actions)
        return own[own.index(first) :]


def once_source(context: SourceContext, installation: uuid.UUID) -> OnceSource | None:
    """Return the source of a model's once actions; None if it has none."""
    once = context.model.once
    return OnceSource(OnceRunner(context, installation), [*once.values()]) if once else None

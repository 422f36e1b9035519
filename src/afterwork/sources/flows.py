"""The source of flows, which starts nothing itself: whoever ends a ticket lets those go on that wait for it.

It looks for what nobody has told: tickets that were ended or deleted by SQL, and those that ended just while somebody
asked to wait for them.
"""

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from afterwork.jobs.source import Due, EndedRuns, OwnWork, Source, SourceContext, WorkerHandle
from afterwork.store.tickets.flows import PrerequisiteRow
from afterwork.store.tickets.statements import tickets_of

LOOK_EVERY = timedelta(seconds=10)
"""The interval of looks while some tickets wait for others."""

AT_ONCE = 1000
"""The pairs of tickets that one transaction looks at."""

AT_A_LOOK = 20
"""The most transactions of one look. The next look goes on from there."""

FLOWS = OwnWork("flows")
"""Only identifies this source: nothing of its own is ever due."""


class FlowSource(Source):
    """The look after flows of one server. Others may look at the same time."""

    own = FLOWS

    def __init__(self, context: SourceContext) -> None:
        self._database, self._clock = context.database, context.clock
        self._flows = tickets_of(context.model.contract, context.database.dialect).flows
        self._after: tuple[str, str] | None = None

    def due(self, connection: Connection, now: datetime) -> Due:
        return Due()

    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        yield []

    def check(self, connection: Connection) -> timedelta | None:
        """Decide flows that wait for tickets which have ended, or gone, without anybody's telling."""
        for _ in range(AT_A_LOOK):
            waits = self._flows.some_pairs(connection, self._after, AT_ONCE)
            connection.commit()
            if waits:
                self._look_at(connection, waits)
            elif self._after is None:
                return self._database.settings.safety_poll
            self._after = waits[-1][:2] if len(waits) == AT_ONCE else None
            if self._after is None:
                break
        return LOOK_EVERY

    def _look_at(self, connection: Connection, waits: Sequence[PrerequisiteRow]) -> None:
        with self._database.transaction(connection):
            self._flows.clear_away(connection, waits)
            ends = self._flows.unnoticed(connection, waits)
            if ends:
                self._flows.decide(connection, ends, self._clock.now())
                self._database.wake_all(connection)

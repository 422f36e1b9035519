"""Putting a runner together: the sources of work of one model, on one database."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.events import Events, Listener
from afterwork.jobs.blocked import BlockedLooks
from afterwork.jobs.history import RunHistory
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.runner import Around, Runner
from afterwork.jobs.source import JobSource, Source, SourceContext
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.inspection import ModelInfo
from afterwork.sources.derived.assembly import derived_source
from afterwork.sources.flows import FlowSource
from afterwork.sources.once import once_source
from afterwork.sources.ticket import TicketSource
from afterwork.sources.timer.matches import MatchSource, TicketsAndMatches
from afterwork.sources.timer.rounds import Rounds
from afterwork.store import schema, server_rows
from afterwork.store.database import Database
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.routing import routing_of


@dataclass(frozen=True)
class RunnerAssembly:
    """The parts that an application gives to a runner: its model, database, clock, listeners and variables.

    `around` wraps each run. `events` adds the runner's own listener to the application's.
    """

    model: ModelInfo
    database: Database
    clock: Clock
    events: Callable[[Listener], Events]
    variables: Mapping[str, Any]
    around: Around

    def runner(self, connection: Connection) -> Runner:
        """Return a runner. Raise `NotInstalled` or `WrongSchema` if the database is not as it must be."""
        settings = self.database.settings
        history, quarantine = RunHistory(settings), Quarantine(settings.batch)
        events = self.events(history.note)
        # Before the database is asked, so that a wrong model is refused whatever is installed.
        limits, routing = LaneLimits(self.model.lanes, self.model.lane_names), routing_of(settings)
        installation = schema.check_installed(self.database, connection)
        time_limits, blocked = TimeLimits.of(self.database, events), BlockedLooks(self.database, events)
        context = SourceContext(
            self.model, self.database, self.clock, events, self.variables, time_limits, blocked, quarantine
        )
        sources = _sources(context, connection, installation)
        job_source = _job_source(context, installation, limits)
        connection.commit()
        return Runner(
            self.database, job_source, self.clock, events, settings, history, quarantine, time_limits, blocked,
            sources, self.variables, self.around, routing, limits, server_rows.said(self.model.works, routing),
        )  # fmt: skip


def _sources(context: SourceContext, connection: Connection, installation: uuid.UUID) -> Sequence[Source]:
    """Return the sources that work beside lanes, in order of precedence."""
    once, derived = once_source(context, installation), derived_source(context, installation, connection)
    rounds = None
    if context.model.timers:
        rounds = Rounds(context)
        rounds.register(connection)
    sources: Sequence[Source | None] = (once, derived, rounds, FlowSource(context))
    return [source for source in sources if source is not None]


def _job_source(context: SourceContext, installation: uuid.UUID, limits: LaneLimits) -> JobSource:
    tickets = TicketSource(context, installation, limits)
    if not context.model.timers:
        return tickets
    return TicketsAndMatches(tickets, MatchSource(context, installation, limits), context.blocked)

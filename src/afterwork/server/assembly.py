"""Putting a runner together: the sources of work of one model, on one database."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.events import Events
from afterwork.jobs.history import RunHistory
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.runner import Around, Runner
from afterwork.jobs.source import JobSource, Source
from afterwork.jobs.timeouts import Timeouts
from afterwork.model.inspection import ModelInfo
from afterwork.sources.combined import TicketsAndMatches
from afterwork.sources.derived.assembly import derived_source
from afterwork.sources.once import once_source
from afterwork.sources.ticket import TicketSource
from afterwork.sources.timer.matches import MatchSource
from afterwork.sources.timer.rounds import rounds_of
from afterwork.store import schema, server_abilities
from afterwork.store.database import Database
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.routing import routing_of
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.timers import Timers


@dataclass(frozen=True)
class RunnerAssembly:
    """The parts that an application gives to a runner: its model, database, clock, listeners and variables.

    `around` wraps each run.
    """

    model: ModelInfo
    database: Database
    clock: Clock
    events: Events
    variables: Mapping[str, Any]
    around: Around

    def runner(self, connection: Connection) -> Runner:
        """Return a runner. Raise `NotInstalled` or `WrongSchema` if the database is not as it must be."""
        settings = self.database.settings
        history, quarantine = RunHistory(settings), Quarantine(settings.batch)
        events = self.events.also(history.note)
        # Before the database is asked, so that a wrong model is refused whatever is installed.
        limits, routing = LaneLimits(self.model.lanes, self.model.lane_names), routing_of(settings)
        schema.check_installed(self.database, connection)
        installation = schema.installation_id(connection)
        sources = self._sources(connection, installation, events, quarantine)
        job_source = self._job_source(installation, limits)
        connection.commit()
        return Runner(
            self.database, job_source, self.clock, events, settings, history, quarantine, sources, self.variables,
            self.around, routing, limits, server_abilities.said(self.model.works, routing),
            Timeouts(settings.abandon_after),
        )  # fmt: skip

    def _sources(
        self, connection: Connection, installation: uuid.UUID, events: Events, quarantine: Quarantine
    ) -> Sequence[Source]:
        """Return the sources that work beside lanes, in order of precedence."""
        database, model, clock, variables = self.database, self.model, self.clock, self.variables
        once = once_source(database, model, installation, clock, events, variables, quarantine)
        derived = derived_source(database, model, connection, clock, events, installation, quarantine)
        rounds = None
        if model.timers:
            rounds = rounds_of(database, model, clock, events, variables, quarantine)
            rounds.register(connection)
        sources: Sequence[Source | None] = (once, derived, rounds)
        return [source for source in sources if source is not None]

    def _job_source(self, installation: uuid.UUID, limits: LaneLimits) -> JobSource:
        """Return the source of jobs in lanes."""
        model, dialect, routing = self.model, self.database.dialect, routing_of(self.database.settings)
        statements = tickets_of(model.contract, dialect)
        tickets = TicketSource(model, statements, installation, self.clock, routing, limits)
        if not model.timers:
            return tickets
        timers = Timers(dialect, model.timers)
        return TicketsAndMatches(
            tickets, MatchSource(model, dialect, installation, timers, self.clock, routing, limits)
        )

"""The part of `Insight` about works, their runs over time, and the graph of everything derived."""

from sqlalchemy import Connection

from afterwork.derived.compute.assembly import matcher_of
from afterwork.errors import BadRequest
from afterwork.events import SourceKind
from afterwork.insight import caches
from afterwork.insight.derived_graph import DerivedGraph, GraphReader, GraphView
from afterwork.insight.member_names import MemberNames
from afterwork.insight.reading import InsightBase
from afterwork.insight.runs_over_time import RunReader, RunsOverTime, Span, WantedRuns
from afterwork.insight.works import WorkDetail, WorkReader
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk

MAX_NUMBER = 2**63 - 1
"""The highest number of a server that a database can hold."""


class WorkInsight(InsightBase):
    """Reads works and what they have done, and what feeds what is derived."""

    def works(
        self,
        span: Span = "hour",
        kind: SourceKind | None = None,
        lane: str | None = None,
        server: int | None = None,
    ) -> RunsOverTime:
        """Return the runs of a span by time, work, kind, lane and server: all, or those of one kind, lane or server.

        Raises `BadRequest` for a number that no server can have.
        """
        if server is not None and not 0 <= server <= MAX_NUMBER:
            raise BadRequest(f"There is no server {server}.")
        with self._reading() as connection:
            reader = RunReader(self._model, self._clock.now())
            return reader.over(connection, span, WantedRuns(None, kind, lane, server))

    def work(self, name: str, span: Span = "hour") -> WorkDetail:
        """Return one work: what starts it, its runs of a span, what failed, what waits, and who depends on it.

        Raises `NotThere` if neither the model nor the history knows it.
        """
        with self._reading() as connection:
            walk = TicketWalk(tickets_of(self._model.contract, self._database.dialect), self._clock.now())
            return WorkReader(self._model, walk, self._graph(connection)).detail(connection, name, span)

    def graph(self) -> GraphView:
        """Return the graph of everything derived: what each derivation reads, how stale and how busy it is."""
        with self._reading() as connection:
            now = self._clock.now()
            summaries = caches.summaries(connection, self._model, now) if self._model.derivations else ()
            runs = RunReader(self._model, now).of_derivations(connection)
            return GraphView(self._graph(connection), {cache.name: cache for cache in summaries}, runs)

    def _graph(self, connection: Connection) -> DerivedGraph:
        if not self._model.derivations:
            return DerivedGraph({})
        registry = matcher_of(self._database, self._model, connection).registry
        return GraphReader(registry, MemberNames(self._model)).graph()

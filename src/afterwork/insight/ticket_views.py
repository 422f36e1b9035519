"""The part of `Insight` about tickets, lanes and servers."""

from functools import cached_property

from sqlalchemy import Connection

from afterwork.errors import UnknownLane
from afterwork.insight import servers
from afterwork.insight import tickets as ticket_views
from afterwork.insight.lanes import Activity, LaneReader, LaneView
from afterwork.insight.reading import InsightBase
from afterwork.insight.running import running, suspect_views
from afterwork.insight.ticket import TicketDetail, TicketReader, WaitReasons
from afterwork.insight.tickets import TicketPage
from afterwork.model.known_names import instead_of
from afterwork.store import schema, tables
from afterwork.store.bounded_count import Count
from afterwork.store.tickets.filter import ALL, TicketFilter, TicketState
from afterwork.store.tickets.statements import Tickets, tickets_of
from afterwork.store.tickets.walk import TicketKeyWalk, TicketWalk
from afterwork.store.timers import MATCHES


class TicketInsight(InsightBase):
    """Reads tickets, and the activity of lanes and servers."""

    def tickets(self, wanted: TicketFilter = ALL, limit: int = 20, after: str | None = None) -> TicketPage:
        """Return a page of matching tickets: pending ones in the order in which they run, others newest first.

        `after` is the key of the last ticket of the previous page, `limit` the length of a page. Works without
        Afterwork's tables, too. Raises `BadRequest` if `after` is the key of no ticket.
        """
        with self._database.reading() as connection:
            return ticket_views.page(connection, self._walk(connection), wanted, after, limit)

    def ticket_counts(self, wanted: TicketFilter = ALL) -> dict[TicketState, Count]:
        """Count the matching tickets in each state, ignoring the state of the filter. Counts 10,000 at most."""
        with self._reading() as connection:
            return ticket_views.counts(connection, self._walk(connection), wanted)

    def ticket(self, key: str) -> TicketDetail:
        """Return one ticket: what it asks for, its history so far, and why it waits.

        Raises `NotThere` if no ticket has this key.
        """
        with self._reading() as connection:
            waiting = self._waiting(connection)
            return TicketReader(self._model, waiting).detail(connection, key)

    def activity(self) -> Activity:
        """Return lanes, servers, and the runs outside of transactions."""
        with self._reading() as connection:
            now = self._waiting(connection)
            suspects = suspect_views(connection, self._database.settings)
            return Activity(now.lanes, now.servers, now.running, suspects)

    def lane(self, name: str) -> LaneView:
        """Return one lane. Raises `UnknownLane` if it is empty, and neither the model nor a pause or limit names it."""
        lanes = {lane.name: lane for lane in self.activity().lanes}
        if name not in lanes:
            raise UnknownLane(name, instead_of(name, lanes))
        return lanes[name]

    def _waiting(self, connection: Connection) -> WaitReasons:
        now, database = self._clock.now(), self._database
        runs, walk = running(connection, self._model.contract), TicketWalk(self._tickets, now)
        lanes = LaneReader(database, self._model, walk, TicketWalk(self._matches, now)).views(connection, runs)
        return WaitReasons(walk, lanes, servers.views(database, connection, runs, now), runs)

    @cached_property
    def _tickets(self) -> Tickets:
        return tickets_of(self._model.contract, self._database.dialect)

    @cached_property
    def _matches(self) -> Tickets:
        return tickets_of(MATCHES, self._database.dialect)

    def _walk(self, connection: Connection) -> TicketWalk:
        is_installed = schema.version(connection) == tables.SCHEMA_VERSION
        return (TicketWalk if is_installed else TicketKeyWalk)(self._tickets, self._clock.now())

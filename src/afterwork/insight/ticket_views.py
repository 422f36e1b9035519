"""The part of `Insight` that tells of tickets, lanes and servers."""

from functools import cached_property

from sqlalchemy import Connection

from afterwork.errors import NotThere, shown
from afterwork.insight import servers
from afterwork.insight import tickets as ticket_views
from afterwork.insight.lanes import Activity, LaneReader, LaneView
from afterwork.insight.reading import InsightBase
from afterwork.insight.running import running
from afterwork.insight.suspects import views as views_of_suspects
from afterwork.insight.ticket import TicketDetail, TicketReader
from afterwork.insight.tickets import TicketPage
from afterwork.insight.wait_reasons import WaitReasons
from afterwork.store import schema, tables
from afterwork.store.bounded_count import Count
from afterwork.store.matches import MATCHES
from afterwork.store.tickets.filter import ALL, State, TicketFilter
from afterwork.store.tickets.statements import Tickets, tickets_of
from afterwork.store.tickets.walk import TicketKeyWalk, TicketWalk


class TicketInsight(InsightBase):
    """Which tickets there are, what has become of them, and what goes on."""

    def tickets(self, wanted: TicketFilter = ALL, limit: int = 20, after: str | None = None) -> TicketPage:
        """Tickets that meet a filter, `most` at most: pending ones in the order in which they run, others newest first.
        With `after`, those that come behind the ticket with this key. Can be had without Afterwork's tables, too.

        Raises `BadRequest` if `after` is the key of no ticket.
        """
        with self._database.engine.connect() as connection:
            return ticket_views.page(connection, self._walk(connection), wanted, after, limit)

    def ticket_counts(self, wanted: TicketFilter = ALL) -> dict[State, Count]:
        """How many tickets in each state meet a filter, whatever its own state is. Counts 10,000 at most."""
        with self._reading() as connection:
            return ticket_views.counts(connection, self._walk(connection), wanted)

    def ticket(self, key: str) -> TicketDetail:
        """One ticket: what it asks for, what has become of it so far, and why it waits.

        Raises `NotThere` if there is none of this key.
        """
        with self._reading() as connection:
            waiting = self._waiting(connection)
            return TicketReader(self._model, waiting).detail(connection, key)

    def activity(self) -> Activity:
        """Lanes, servers, and what runs outside of transactions."""
        with self._reading() as connection:
            found = self._waiting(connection)
            suspects = views_of_suspects(connection, self._database.settings)
            return Activity(found.lanes, found.servers, found.running, suspects)

    def lane(self, name: str) -> LaneView:
        """One lane. Raises `NotThere` if nothing is in it, and neither the model nor anybody else has named it."""
        lanes = {one.name: one for one in self.activity().lanes}
        if name not in lanes:
            raise NotThere(f"There is no lane {shown(name)}. There are: {', '.join(lanes)}.")
        return lanes[name]

    def _waiting(self, connection: Connection) -> WaitReasons:
        now, database = self._clock.now(), self._database
        found, walk = running(connection, self._model.contract), TicketWalk(self._tickets, now)
        lanes = LaneReader(database, self._model, walk, TicketWalk(self._matches, now)).views(connection, found)
        return WaitReasons(walk, lanes, servers.views(database, connection, found, now), found)

    @cached_property
    def _tickets(self) -> Tickets:
        return tickets_of(self._model.contract, self._database.dialect)

    @cached_property
    def _matches(self) -> Tickets:
        return tickets_of(MATCHES, self._database.dialect)

    def _walk(self, connection: Connection) -> TicketWalk:
        is_installed = schema.version(connection) == tables.SCHEMA_VERSION
        return (TicketWalk if is_installed else TicketKeyWalk)(self._tickets, self._clock.now())

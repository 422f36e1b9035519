"""The reasons why a ticket waits, in sentences."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from afterwork.errors import shown
from afterwork.insight.lanes import LaneView
from afterwork.insight.running import RunningView
from afterwork.insight.servers import ServerView
from afterwork.insight.tickets import TicketView
from afterwork.store.tickets.index_ranges import IndexPosition
from afterwork.store.tickets.walk import TicketWalk


@dataclass(frozen=True)
class WaitReasons:
    """Everything that tickets may wait for at one time."""

    tickets: TicketWalk
    lanes: Sequence[LaneView]
    servers: Sequence[ServerView]
    running: Sequence[RunningView]

    def reasons(self, connection: Connection, ticket: TicketView, place: IndexPosition) -> Iterator[str]:
        """Yield why a ticket has not run yet, or what it is doing; nothing if it has ended."""
        match ticket.state:
            case "failed" | "expired" | "done":
                return
            case "running":
                yield from self._runs(ticket)
            case "scheduled":
                yield from _until(ticket)
                yield from self._no_server(ticket)
            case "waiting":
                yield from self._in_lane(ticket)
                yield from self._ahead(connection, ticket, place)
                yield from self._no_server(ticket)

    def _runs(self, ticket: TicketView) -> Iterator[str]:
        for run in self.running:
            if run.ticket == ticket.key:
                times = "once" if run.taken_over == 1 else f"{run.taken_over} times"
                again = f" It was taken over {times}." if run.taken_over else ""
                yield f"It runs on server {run.server} since {_moment(run.since)}, outside of a transaction.{again}"
        if ticket.said is not None and ticket.said.stopping:
            yield "It was asked to stop: nothing of it will be saved."
        for server in self.servers:
            if server.presence != "alive" and any(run.ticket == ticket.key for run in server.running):
                yield f"Server {server} is {server.presence}. If it is gone, another one takes over."

    def _in_lane(self, ticket: TicketView) -> Iterator[str]:
        lane = next((lane for lane in self.lanes if lane.name == ticket.lane), None)
        if lane is None:
            return
        if lane.paused:
            yield f"Its lane {lane.name} is paused."
        if lane.free_from is not None and lane.rate is not None:
            used_up = f"The rate of its lane {lane.name} is used up, {lane.rate.max_starts} in {lane.rate.per}"
            yield f"{used_up}: the next may begin at {_moment(lane.free_from)}."
        is_taken = lane.is_exclusive and len(lane.running) >= lane.limit
        for run in lane.running if is_taken else ():
            yield f"Its lane {lane.name} is taken by {run.work or 'a run'} ({run.ticket}) since {_moment(run.since)}."
        if lane.held_by is not None:
            since = "" if lane.held_by.since is None else f" since {_moment(lane.held_by.since)}"
            yield f"Tickets of its lane {lane.name} run in a transaction{since}; it may be one of them."

    def _ahead(self, connection: Connection, ticket: TicketView, place: IndexPosition) -> Iterator[str]:
        ahead = self.tickets.ahead(connection, place)
        if ahead.number:
            yield f"{ahead} tickets of its lane {ticket.lane} come before it."

    def _no_server(self, ticket: TicketView) -> Iterator[str]:
        alive = [server for server in self.servers if server.presence == "alive" and not server.draining]
        if not alive:
            yield "No server is running."
        elif not any(server.serves.serves(ticket.lane, "ticket") for server in alive):
            yield f"No running server serves tickets of the lane {ticket.lane}."
        elif ticket.work is not None and not any(server.is_able(ticket.work) for server in alive):
            yield f"No running server knows {shown(ticket.work)}."


def _until(ticket: TicketView) -> Iterator[str]:
    assert ticket.execute_earliest is not None  # else it would not be scheduled
    again = f" It has been tried {ticket.attempts} times." if ticket.attempts else ""
    yield f"It is not to run before {_moment(ticket.execute_earliest)}.{again}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"

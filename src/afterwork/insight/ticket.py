"""One ticket in detail: what it asks for, its history so far, and why it waits."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, exists, select

from afterwork.errors import MalformedExternalId, NotThere, UnknownWork, shown
from afterwork.insight.flows import FlowView, flow_around
from afterwork.insight.lanes import LaneView
from afterwork.insight.running import RunningView
from afterwork.insight.servers import ServerView
from afterwork.insight.tickets import TicketView, views
from afterwork.model.arguments.kind import HIDDEN
from afterwork.model.arguments.parameters import Parameters
from afterwork.model.external_id import parse
from afterwork.model.flow import IfFailed
from afterwork.model.inspection import ModelInfo
from afterwork.model.work import FunctionWork, MethodWork, ViewModelWork, Work
from afterwork.store import history, steps
from afterwork.store.history import RunRecord
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
            case "failed" | "expired" | "done" | "awaiting":
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


_IF_FAILED: dict[IfFailed, str] = {
    "cancel": "If one of them does not end well, it is cancelled.",
    "run": "It runs once all of them have ended, well or not.",
    "wait": "If one of them does not end well, it goes on waiting until that one was retried.",
}


def _awaits(ticket: TicketView, flow: FlowView | None) -> Iterator[str]:
    if ticket.state != "awaiting" or flow is None or flow.if_failed is None:
        return
    yield f"It waits for {flow.pending:,} of {flow.prerequisites:,} tickets. {_IF_FAILED[flow.if_failed]}"


def _until(ticket: TicketView) -> Iterator[str]:
    assert ticket.execute_earliest is not None  # else it would not be scheduled
    again = f" It has been tried {ticket.attempts} times." if ticket.attempts else ""
    yield f"It is not to run before {_moment(ticket.execute_earliest)}.{again}"


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


MAX_ATTEMPTS = 50
"""The most attempts of a ticket that are shown."""

StepKind = Literal[
    "created", "due", "put off", "failed", "expired", "slow", "running", "cancelled", "done", "expires", "receipt goes"
]


@dataclass(frozen=True)
class TimelineStep:
    """A past or future step of a ticket. `note` says more, in words."""

    what: StepKind
    at: datetime
    note: str = ""


MAX_STEPS = 200
"""The most steps of a ticket that are shown."""


@dataclass(frozen=True)
class StepView:
    """A step of an external run that was done, and will not be repeated. Instead of a secret result, it has a mark."""

    name: str
    at: datetime
    result: Any


@dataclass(frozen=True)
class TicketDetail:
    """One ticket. `call` is the call that it asks for, as code, and `arguments` are its arguments, without secrets.

    `result` is what its work has returned, as JSON without secrets, None if it returned nothing.

    `refused` says why the model can't run it, `root_is_there` is None if it has no root of the model. `waits` are the
    reasons why it has not run yet, in sentences; `attempts` are the runs that failed, were put off, or were slow,
    newest first. `flow` has the tickets that it waits for, and those that wait for it; None without any.
    `steps` are those that its external run has done, oldest first.
    """

    ticket: TicketView
    call: str
    arguments: Mapping[str, Any]
    result: Any
    refused: str | None
    external: bool
    most_attempts: int
    root_is_there: bool | None
    timeline: Sequence[TimelineStep]
    waits: Sequence[str]
    attempts: Sequence[RunRecord]
    flow: FlowView | None = None
    steps: Sequence[StepView] = ()


@dataclass(frozen=True)
class TicketReader:
    """Reads single tickets."""

    model: ModelInfo
    waiting: WaitReasons

    def detail(self, connection: Connection, key: str) -> TicketDetail:
        walk = self.waiting.tickets
        rows = walk.rows(connection, [walk.key(key)])
        if not rows:
            advice = "Tickets are listed by: afterwork tickets MODULE:APP --database URL"
            raise NotThere(f"There is no ticket {shown(key)}. Perhaps its receipt has gone. {advice}")
        (ticket,) = views(connection, walk, rows)
        work = self._work(ticket)
        arguments = shown_arguments(walk.arguments(connection, ticket.key), None if isinstance(work, str) else work)
        records = history.records(connection, {"ticket": ticket.key}, None, None, MAX_ATTEMPTS)
        flow = flow_around(connection, walk, ticket)
        waits = [*_awaits(ticket, flow), *self.waiting.reasons(connection, ticket, IndexPosition.of(rows[0]))]
        return TicketDetail(
            ticket,
            call_of(ticket, None if isinstance(work, str) else work, arguments),
            arguments,
            shown_result(walk.result(connection, ticket.key), None if isinstance(work, str) else work),
            work if isinstance(work, str) else None,
            not isinstance(work, str) and work.external,
            1 if isinstance(work, str) or work.retry is None else work.retry.attempts,
            self._root_is_there(connection, ticket.root_id),
            list(self._timeline(connection, ticket, records)),
            waits,
            records,
            flow,
            list(map(_step, steps.of_ticket(connection, ticket.key, MAX_STEPS))),
        )

    def _work(self, ticket: TicketView) -> Work | str:
        try:
            return self.model.work(ticket.work)
        except UnknownWork as error:
            return str(error)

    def _root_is_there(self, connection: Connection, root_id: str | None) -> bool | None:
        try:
            root = parse(root_id, self.model.classes)
        except MalformedExternalId:
            return None
        own = (column == value for column, value in zip(root.mapper.primary_key, root.key, strict=True))
        return bool(connection.execute(select(exists(select(*root.mapper.primary_key).where(*own)))).scalar())

    def _timeline(
        self, connection: Connection, ticket: TicketView, records: Sequence[RunRecord]
    ) -> Iterator[TimelineStep]:
        """Yield past and future steps.

        The clocks of applications and servers may differ, so the first and last steps are not sorted with the others.
        """
        if ticket.created is not None:
            yield TimelineStep("created", ticket.created)
        yield from sorted(self._between(ticket, records), key=lambda step: step.at)
        if ticket.delete_time is not None:
            yield TimelineStep("receipt goes", ticket.delete_time)
        elif ticket.done is None and (expires := self.waiting.tickets.expires(connection, ticket.key)) is not None:
            yield TimelineStep("expires", expires, "if it has not begun by then")

    def _between(self, ticket: TicketView, records: Sequence[RunRecord]) -> Iterator[TimelineStep]:
        if ticket.execute_earliest is not None:
            yield TimelineStep("due", ticket.execute_earliest)
        for record in records:
            # The last attempt of an ended ticket is its end, which is a step of its own.
            if record.outcome == "put off" or ticket.done is None or record.ended < ticket.done:
                yield TimelineStep(_HAPPENING[record.outcome], record.ended, f"attempt {record.attempt}")
        for run in self.waiting.running:
            if run.ticket == ticket.key:
                yield TimelineStep("running", run.since, f"on server {run.server}")
        if ticket.done is not None:
            tried = f"at attempt {ticket.attempts}" if ticket.attempts else ""
            yield TimelineStep(_END.get(ticket.state, "done"), ticket.done, tried)


def _step(step: steps.KeptStep) -> StepView:
    return StepView(step.name, step.at, json.loads(step.result) if step.is_open else HIDDEN)


_END: dict[str, StepKind] = {"failed": "failed", "expired": "expired"}

_HAPPENING: dict[history.RecordedOutcome, StepKind] = {"put off": "put off", "failed": "failed", "done": "slow"}


def shown_arguments(text: object, work: Work | None) -> dict[str, Any]:
    """Return a ticket's arguments as people may see them. Those of an unknown work may be secrets, all of them."""
    parameters = Parameters("", []) if work is None else work.parameters
    return parameters.shown(text)


def shown_result(text: object, work: Work | None) -> Any:
    """Return a ticket's result as people may see it. That of an unknown work may be a secret."""
    if not isinstance(text, str):
        return None
    return HIDDEN if work is None else work.result.shown(text)


def call_of(ticket: TicketView, work: Work | None, arguments: Mapping[str, Any]) -> str:
    """Return the call that a ticket asks for, as code: `Customer!42.assign_number()`, `Welcome(Customer!42)`."""
    name, root = ticket.work or "?", ticket.root_id or ""
    given = ", ".join(f"{each}={value!r}" for each, value in arguments.items())
    match work:
        case ViewModelWork():
            return f"{work.name}({', '.join(filter(None, [root, given]))})"
        case MethodWork() if root:
            return f"{root}.{name.partition('.')[2]}({given})"
        case FunctionWork():
            return f"{work.name}({given})"
        case _:
            return f"{name} on {root}" if root else name

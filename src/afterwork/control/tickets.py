"""Acts on tickets by hand: retry, run now, cancel; by key, or all that match a filter.

Each act checks a ticket's state in the transaction that changes it. A ticket in another state, or locked by a run, is
left alone, and the result says so.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import Connection, Row

from afterwork.errors import CancelledByHand
from afterwork.model.key import key_text
from afterwork.store.database import Database
from afterwork.store.tickets import acts
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import TicketFilter, TicketState, WantedState, state_of
from afterwork.store.tickets.statements import Tickets
from afterwork.store.tickets.walk import TicketWalk

BATCH_SIZE = 500
"""The most tickets that one transaction changes."""

MAX_NAMED = 20
"""The most tickets that a result names one by one."""

Selected = Sequence[str] | TicketFilter
"""The tickets of an act: by key, or all that match a filter."""

WHY_LOCKED = "it is running, or locked by somebody else"


@dataclass(frozen=True)
class LeftAlone:
    """A ticket that an act did not change, and the reason."""

    key: str
    why: str


@dataclass(frozen=True)
class ActResult:
    """The result of an act: how many tickets were changed, asked to stop, and left alone.

    `named` are the first of those left alone. With `has_more`, further tickets match beyond the limit of this act.
    """

    changed: int = 0
    asked_to_stop: int = 0
    left_alone: int = 0
    named: Sequence[LeftAlone] = ()
    has_more: bool = False

    def __add__(self, other: "ActResult") -> "ActResult":
        return ActResult(
            self.changed + other.changed,
            self.asked_to_stop + other.asked_to_stop,
            self.left_alone + other.left_alone,
            (*self.named, *other.named)[:MAX_NAMED],
            self.has_more or other.has_more,
        )


@dataclass(frozen=True)
class TicketAct:
    """An act on tickets. `name` is its command and its URL, `done` the participle for results and logs.

    It changes tickets in the states `changes`, and asks runs to stop whose tickets are in the states `stops`. Without
    keys and without a state, it is about tickets in `default_state`.
    """

    name: Literal["retry", "run", "cancel"]
    done: str
    doc: str
    changes: Set[TicketState]
    default_state: WantedState
    stops: Set[TicketState] = frozenset()


RETRY = TicketAct(
    "retry",
    "retried",
    "Make tickets due, including those that have ended, with all their attempts ahead of them.",
    {"failed", "expired", "done", "scheduled", "waiting"},
    "failed",
)
RETRY_FAILED = replace(RETRY, changes={"failed", "expired"})
"""Retrying those that are still failed when it is done: what another person has retried since is left alone."""
RUN_NOW = TicketAct(
    "run", "made due", "Make tickets due that wait for a time, or for others.", {"scheduled", "awaiting"}, "scheduled"
)
CANCEL = TicketAct(
    "cancel",
    "cancelled",
    "End tickets that have not begun, and ask running ones to stop.",
    {"waiting", "scheduled", "awaiting"},
    "pending",
    stops={"running"},
)
TICKET_ACTS = (RETRY, RUN_NOW, CANCEL)

WHY_LEFT_ALONE: Mapping[TicketState, str] = {
    "waiting": "it is due already",
    "scheduled": "it waits for its time",
    "awaiting": "it waits for other tickets",
    "running": "it is running",
    "failed": "it has failed",
    "expired": "it has expired",
    "done": "it is done",
}
"""Why a ticket in a state that an act does not change is left alone."""


@dataclass(frozen=True)
class TicketActRunner:
    """Performs acts on the tickets of one database, as of one timestamp."""

    database: Database
    tickets: Tickets
    now: datetime
    who: str

    @cached_property
    def walk(self) -> TicketWalk:
        return TicketWalk(self.tickets, self.now)

    def run(self, connection: Connection, act: TicketAct, selected: Selected, limit: int) -> ActResult:
        """Perform an act on at most `limit` tickets. Raises `BadRequest` for a malformed key."""
        total = ActResult()
        for keys in self._batches(connection, act, selected):
            left = limit - total.changed - total.asked_to_stop
            if left <= 0:
                return replace(total, has_more=True)
            with self.database.transaction(connection):
                total += self._run_batch(connection, act, keys[:left])
                self.database.wake_all(connection)
            total = replace(total, has_more=len(keys) > left)
        return total

    def _batches(self, connection: Connection, act: TicketAct, selected: Selected) -> Iterator[Sequence[Any]]:
        if isinstance(selected, TicketFilter):
            wanted = selected.of_state(selected.state or act.default_state)
            for rows in self.walk.all(connection, wanted, BATCH_SIZE):
                connection.commit()  # end the reading transaction before the batch begins its own
                if rows:
                    yield [row.key for row in rows]
            return
        keys = list(dict.fromkeys(self.walk.key(text) for text in selected))
        for first in range(0, len(keys), BATCH_SIZE):
            yield keys[first : first + BATCH_SIZE]

    def _run_batch(self, connection: Connection, act: TicketAct, keys: Sequence[Any]) -> ActResult:
        rows = {row.key: row for row in acts.lock(connection, self.tickets, keys)}
        states = {key: self._state(row) for key, row in rows.items()}
        changed = [key for key, state in states.items() if state in act.changes]
        asked = [key for key, state in states.items() if state in act.stops]
        others = [(key, state) for key, state in states.items() if state not in act.changes | act.stops]
        if changed:
            self._change(connection, act, changed)
        acts.ask_to_stop(connection, asked, self.now)
        left = [LeftAlone(key_text(key), WHY_LEFT_ALONE[state]) for key, state in others]
        left += self._unlocked(connection, [key for key in keys if key not in rows])
        return ActResult(len(changed), len(asked), len(left), left[:MAX_NAMED])

    def _change(self, connection: Connection, act: TicketAct, keys: Sequence[Any]) -> None:
        match act.name:
            case "retry":
                acts.retry(connection, self.tickets, keys)
            case "run":
                acts.run_now(connection, self.tickets, keys)
            case "cancel":
                acts.cancel(connection, self.tickets, keys, str(CancelledByHand(self.who)), self.now)

    def _unlocked(self, connection: Connection, keys: Sequence[Any]) -> list[LeftAlone]:
        existing = acts.existing(connection, self.tickets, keys) if keys else set()
        return [LeftAlone(key_text(key), WHY_LOCKED if key in existing else "there is no such ticket") for key in keys]

    def _state(self, row: Row[Any]) -> TicketState:
        return state_of(row.done, row.error, aware(row.earliest), row.has_begun, self.now)


def result_lines(act: TicketAct, result: ActResult) -> Iterator[str]:
    """Yield the result of an act as text, with a line for each named ticket that was left alone."""
    asked = f", {result.asked_to_stop:,} that run were asked to stop" if result.asked_to_stop else ""
    left = f", {result.left_alone:,} left alone" if result.left_alone else ""
    yield f"{result.changed:,} {'ticket' if result.changed == 1 else 'tickets'} {act.done}{asked}{left}."
    for left_alone in result.named:
        yield f"  {left_alone.key}: {left_alone.why}"
    if len(result.named) < result.left_alone:
        yield f"  and {result.left_alone - len(result.named):,} others"
    if result.has_more:
        yield "More tickets match. Repeat the command for the next ones."


def result_for_log(selected: Selected, result: ActResult) -> str:
    """Return the tickets of an act and its result, for the log."""
    match selected:
        case TicketFilter():
            state = "" if selected.state is None else f"{selected.state} "
            which = f"{state}tickets that match {str(selected) or 'anything'}"
        case [key]:
            which = f"ticket {key}"
        case _:
            more = f" and {len(selected) - MAX_NAMED:,} others" if len(selected) > MAX_NAMED else ""
            which = f"tickets {', '.join(selected[:MAX_NAMED])}{more}"
    asked = f", {result.asked_to_stop:,} asked to stop" if result.asked_to_stop else ""
    return f"{which}: {result.changed:,} changed{asked}, {result.left_alone:,} left alone"

"""What can be done to tickets by hand: let them run again, let them run now, cancel them; one, some, or all that match.

Each act looks at a ticket's state in the transaction that changes it. One that is in another state by then, or that a
run has locked, is left alone, and that is said.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row

from afterwork.errors import CancelledByHand
from afterwork.model.key import key_text
from afterwork.store.database import Database
from afterwork.store.tickets import acts
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.filter import State, TicketFilter, Wanted, state_of
from afterwork.store.tickets.statements import Tickets
from afterwork.store.tickets.walk import TicketWalk

BATCH_SIZE = 500
"""Tickets that one transaction changes at most."""

MAX_NAMED = 20
"""Tickets that were left alone and are named one by one."""

Selected = Sequence[str] | TicketFilter
"""The tickets that an act is about: by their keys, or all that meet a filter."""

WHY_LOCKED = "it is just being run, or somebody else has it"


@dataclass(frozen=True)
class LeftAlone:
    """A ticket that an act left as it was, and why."""

    key: str
    why: str


@dataclass(frozen=True)
class ActResult:
    """What came of an act on tickets: how many were changed, how many runs that go on were asked to stop, how many
    tickets were left alone, of which the first are named. With `has_more`, others match beyond those of this act."""

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
    """One act. It changes tickets in the states that it `is_for`, and asks the runs of those to stop that are in the
    states `asks`. `by_itself` is the state of those that are meant where all that match are, and no state is named."""

    done: str
    changes: Set[State]
    default_state: Wanted
    apply: Callable[[Connection, Tickets, Sequence[Any], str, datetime], None]
    stops: Set[State] = frozenset()


def _retry(connection: Connection, tickets: Tickets, keys: Sequence[Any], who: str, now: datetime) -> None:
    acts.retry(connection, tickets, keys)


def _run_now(connection: Connection, tickets: Tickets, keys: Sequence[Any], who: str, now: datetime) -> None:
    acts.run_now(connection, tickets, keys)


def _cancel(connection: Connection, tickets: Tickets, keys: Sequence[Any], who: str, now: datetime) -> None:
    acts.cancel(connection, tickets, keys, str(CancelledByHand(who)), now)


RETRY = TicketAct("retried", {"failed", "expired", "done", "scheduled", "waiting"}, "failed", _retry)
RUN_NOW = TicketAct("made due", {"scheduled"}, "scheduled", _run_now)
CANCEL = TicketAct("cancelled", {"waiting", "scheduled"}, "pending", _cancel, stops={"running"})

WHY_LEFT_ALONE: Mapping[State, str] = {
    "waiting": "it is due already",
    "scheduled": "it waits for a moment",
    "running": "it runs just now",
    "failed": "it has failed",
    "expired": "it has expired",
    "done": "it is done",
}
"""Why a ticket that an act is not for is left alone."""


@dataclass(frozen=True)
class TicketActRunner:
    """Acts on the tickets of one database, as of one moment."""

    database: Database
    tickets: Tickets
    now: datetime
    who: str
    walk: TicketWalk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "walk", TicketWalk(self.tickets, self.now))

    def run(self, connection: Connection, act: TicketAct, selected: Selected, limit: int) -> ActResult:
        """Do it, some tickets at a time, to `most` of them at most. Raises `BadRequest` for what can't be a key."""
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
                connection.commit()  # what was read is no part of what follows
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
            act.apply(connection, self.tickets, changed, self.who, self.now)
        acts.ask_to_stop(connection, asked, self.now)
        left = [LeftAlone(key_text(key), WHY_LEFT_ALONE[state]) for key, state in others]
        left += self._unlocked(connection, [key for key in keys if key not in rows])
        return ActResult(len(changed), len(asked), len(left), left[:MAX_NAMED])

    def _unlocked(self, connection: Connection, keys: Sequence[Any]) -> list[LeftAlone]:
        there = acts.existing(connection, self.tickets, keys) if keys else set()
        return [LeftAlone(key_text(key), WHY_LOCKED if key in there else "there is no such ticket") for key in keys]

    def _state(self, row: Row[Any]) -> State:
        return state_of(row.done, row.error, aware(row.earliest), row.has_begun, self.now)


def result_lines(acts: ActResult, done: str) -> Iterator[str]:
    """What came of an act, a line each; `done` says what was done to the tickets: retried, cancelled."""
    asked = f", {acts.asked_to_stop:,} that run were asked to stop" if acts.asked_to_stop else ""
    left = f", {acts.left_alone:,} left alone" if acts.left_alone else ""
    yield f"{acts.changed:,} {'ticket' if acts.changed == 1 else 'tickets'} {done}{asked}{left}."
    for one in acts.named:
        yield f"  {one.key}: {one.why}"
    if len(acts.named) < acts.left_alone:
        yield f"  and {acts.left_alone - len(acts.named):,} others"
    if acts.has_more:
        yield "More of them match. Do it again for the next ones."


def result_for_log(selected: Selected, acts: ActResult) -> str:
    """What an act was about, and what came of it, for the log."""
    match selected:
        case TicketFilter():
            state = "" if selected.state is None else f"{selected.state} "
            which = f"{state}tickets that match {str(selected) or 'anything'}"
        case [key]:
            which = f"ticket {key}"
        case _:
            more = f" and {len(selected) - MAX_NAMED:,} others" if len(selected) > MAX_NAMED else ""
            which = f"tickets {', '.join(selected[:MAX_NAMED])}{more}"
    asked = f", {acts.asked_to_stop:,} asked to stop" if acts.asked_to_stop else ""
    return f"{which}: {acts.changed:,} changed{asked}, {acts.left_alone:,} left alone"

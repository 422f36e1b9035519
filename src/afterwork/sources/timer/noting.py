"""Note the objects of a round, a slice per transaction, so that nobody waits for all of them."""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.events import Events, Reached
from afterwork.jobs.quarantine import given_up
from afterwork.jobs.run import text_of
from afterwork.model.timer import TimedWork
from afterwork.store import suspects, unnoted_matches
from afterwork.store.database import Database
from afterwork.store.timers import MATCH, Cancellation, Matches, Timers
from afterwork.store.unnoted_matches import STEP, Slice

MATCHES_PER_SLICE = 500
"""The maximum number of matches that a transaction notes."""

NOTED = "slice of "
"""The prefix of a timer's name in the event for a further slice of its round."""

ROUND_INTERVAL = timedelta(seconds=1)
"""The interval before a round for the timestamps of its matches. A second round at the same time sorts after them."""

KEPT_MINUTES = 0
"""The time for which the row of a successful match is kept."""


@dataclass(frozen=True)
class Noting:
    """A writer of matches for the timers of one model in one database."""

    database: Database
    works: Mapping[str, TimedWork]
    timers: Timers
    clock: Clock
    events: Events
    matches: Matches = field(default_factory=Matches)

    def going_on(self, connection: Connection, name: str) -> set[str | None]:
        """Return the objects of a timer whose matches have not ended, or are still to be noted."""
        # In this order, so that a match noted meanwhile appears twice rather than never.
        return unnoted_matches.roots(connection, name) | self.matches.pending(connection, name)

    def last(self, connection: Connection, name: str, now: datetime) -> datetime | None:
        """Return the timestamp of the current round's last match; None if no round is running."""
        timestamps = unnoted_matches.last(connection, name), self.matches.last_pending(connection, name, now)
        return max((timestamp for timestamp in timestamps if timestamp is not None), default=None)

    def begin(
        self, connection: Connection, name: str, roots: Sequence[str | None], due: datetime, variables: str | None
    ) -> None:
        """Note the first slice of a round's matches and keep the other slices, in the open transaction."""
        now = self.clock.now()
        first = _first_timestamp(self.last(connection, name, now), len(roots), now)
        slices = [
            Slice(name, first + place * STEP, roots[place : place + MATCHES_PER_SLICE], due, variables)
            for place in range(0, len(roots), MATCHES_PER_SLICE)
        ]
        unnoted_matches.add(connection, slices[1:])
        for taken in slices[:1]:
            self._note(connection, taken)

    def go_on(self, connection: Connection, names: Sequence[str]) -> Iterator[str]:
        """Note a further slice for each of some timers, each in its own transaction. Yield the names of the timers that
        had a slice."""
        for name in names:
            try:
                had = self.database.again_if_outdated(partial(self._note_next, connection, name))
            except Exception as error:
                if self.database.has_lost(connection, error) or self.database.is_contended(error):
                    raise
                had = self._leave_out(connection, name, text_of(error))
            if had:
                yield name

    def _note_next(self, connection: Connection, name: str) -> bool:
        with self.database.transaction(connection):
            taken = unnoted_matches.take(connection, name)
            if taken is None:
                return False
            self._note(connection, taken)
            self.events.emit(Reached("before commit", NOTED + name))
        self.events.emit(Reached("after commit", NOTED + name))
        return True

    def _leave_out(self, connection: Connection, name: str, why: str) -> bool:
        """Count the objects of a slice that can't be noted as failed. The next round may match them."""
        with self.database.transaction(connection):
            taken = unnoted_matches.take(connection, name)
            if taken is not None:
                self.timers.count(connection, name, len(taken.roots), why, self.clock.now())
        return taken is not None

    def cancel(self, connection: Connection, name: str) -> Cancellation:
        """End the matches of a timer that have not begun, and drop its slices, in the open transaction."""
        dropped = unnoted_matches.drop(connection, name)
        ended = self.matches.cancel(connection, name, self.clock.now())
        return Cancellation(dropped + ended.ended, ended.asked_to_stop)

    def _note(self, connection: Connection, batch: Slice) -> None:
        """Note matches, except those given up, which fail as soon as their object is matched."""
        now, existing_keys = self.clock.now(), self.matches.there(connection, batch.timer, batch.roots)
        rows = [
            {
                "id": existing_keys.get(root) or f"{MATCH}{uuid.uuid4().hex}",
                "view_model": batch.timer,
                "root_id": root,
                # In this order, and all of them due.
                "execute_earliest": batch.first + position * STEP,
                "keep_receipt_minutes": KEPT_MINUTES,
                "lane": self.works[batch.timer].lane,
                "created": now,
                "due": batch.due,
                "variables": batch.variables,
            }
            for position, root in enumerate(batch.roots)
            if root not in existing_keys or existing_keys[root] is not None
        ]
        self.matches.add(connection, [row for row in rows if row["root_id"] not in existing_keys])
        again = [row for row in rows if row["root_id"] in existing_keys]
        beyond = suspects.beyond(self.database, connection, [str(row["id"]) for row in again])
        self.matches.again(connection, [row for row in again if row["id"] not in beyond])
        if beyond:
            why = str(given_up(list(beyond.values())[-1], self.database.settings))
            self.timers.count(connection, batch.timer, len(beyond), why, now)


def _first_timestamp(last: datetime | None, count: int, now: datetime) -> datetime:
    """Return the timestamp of the first of `count` matches: due now, and after those that are pending."""
    first = now - max(ROUND_INTERVAL, count * STEP)
    return first if last is None else max(first, last + STEP)

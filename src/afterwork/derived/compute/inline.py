"""Small changes: what was changed is taken, and the few caches that read it are made fresh, in one transaction.

Nothing is claimed, nobody has to come back, and if the transaction is lost, it is as if it had not been begun. But
whoever takes changes meanwhile waits, and on SQLite whoever writes. So it is only for what is known to be quick; all
else is noted as due. And so is what can't be made this way, whatever the reason.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock
from afterwork.derived.compute.calculators import Calculators
from afterwork.derived.compute.python_calculator import UNFIT, Calculated, outcomes, unless_circular
from afterwork.derived.compute.result_store import ResultStore
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.manifest.manifest_store import Affected
from afterwork.derived.matching.matcher import JOURNAL, Matched, Matcher
from afterwork.derived.queue.due_queue import ClaimedCache, DueMark, held_at
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.errors import AfterworkError, Escaped, NotAtOnce, RowNotFound, TransactionIsTheRuns
from afterwork.jobs.outcome import text_of
from afterwork.jobs.run import Run
from afterwork.jobs.source import Ran
from afterwork.model.derivation import MemberDerivation

NEVER_RUN = float("inf")


@dataclass(frozen=True)
class InlineStep:
    """What came of taking changes once. `more` says that there may be others."""

    ran: Ran
    more: bool


@dataclass(frozen=True)
class InlineRecomputation:
    """Takes changes. `limit` is how many seconds calculations may take to be made in the same transaction."""

    matcher: Matcher
    result_store: ResultStore
    calculators: Calculators
    clock: Clock
    run_of: Callable[[RegisteredDerivation, ClaimedCache], Run]
    limit: float

    def take(self, connection: Connection) -> InlineStep:
        """Take changes, and make fresh or note as due what has read them."""
        if self.limit:
            try:
                with CONTAINED:
                    return self._take(connection)
            except (NotAtOnce, RowNotFound, Escaped, SQLAlchemyError, *UNFIT) as error:
                if self.matcher.database.is_lost(error):
                    raise
        return self.note(connection)

    def note(self, connection: Connection) -> InlineStep:
        """Take changes, and note as due what has read them."""
        return InlineStep([], self.matcher.match(connection, self.clock.now()))

    def _take(self, connection: Connection) -> InlineStep:
        matcher, now = self.matcher, self.clock.now()
        matched: Matched | None = None
        try:
            with matcher.database.light_watched_transaction(connection, matcher.entries.to_take_and_end) as snapshot:
                matched = matcher.take(connection, now)
                if matched is None:
                    return InlineStep([], False)
                chosen = self._choose(connection, matched, now)
                definition = matcher.registry.by_id[chosen[0][0].derivation] if chosen else None
                done = [] if definition is None else self._make(connection, definition, chosen, snapshot, now)
                made = {one.claimed.cache for one in done}
                matcher.note(connection, matched, [mark for hit, mark in matched.found if hit.cache not in made], now)
                work = JOURNAL if definition is None else definition.name
                matcher.reached("before commit", work)
        except TransactionIsTheRuns:
            if matched is None:
                raise
            return self._note_after_all(connection, matched, now)
        matcher.reached("after commit", work)
        ran = [] if definition is None else outcomes(done, definition, self.run_of)
        return InlineStep(ran, matched.more or any(one.is_new for one in done))

    def _note_after_all(self, connection: Connection, matched: Matched, now: datetime) -> InlineStep:
        """A function has ended the transaction, so what was taken may have gone from the journal."""
        with self.matcher.database.light_transaction(connection, self.matcher.entries.to_take):
            self.matcher.note(connection, matched, [mark for _, mark in matched.found], now)
        return InlineStep([], True)

    def _choose(self, connection: Connection, matched: Matched, now: datetime) -> list[tuple[Affected, DueMark]]:
        """The caches to be made fresh now, all of one definition: the one that waits for no other."""
        if matched.busy or matched.more:  # what is seen here has to be what was taken
            return []
        known, order = self.matcher.registry.mine, self.matcher.registry.order
        ready = [(hit, mark) for hit, mark in matched.found if mark.due <= now and hit.derivation in known]
        ready = _lowest(ready, matched.levels)
        first = min({hit.derivation for hit, _ in ready}, key=order.rank.__getitem__, default=None)
        if first is None or not isinstance(known[first].declaration, MemberDerivation):
            return []
        if any(hit.derivation in order.feeders[first] for hit, _ in ready):
            return []
        chosen = [(hit, mark) for hit, mark in ready if hit.derivation == first]
        if self._are_others_lower(connection, first, max(matched.levels.get(hit.cache, 0) for hit, _ in chosen)):
            return []
        return chosen if sum(NEVER_RUN if hit.took is None else hit.took for hit, _ in chosen) <= self.limit else []

    def _are_others_lower(self, connection: Connection, definition: int, level: int) -> bool:
        """Whether caches of a lower level are held, of which those of this one may be made."""
        if not level:
            return False
        held = self.matcher.due_queue.held(connection)
        circle = self.matcher.registry.order.cycle(definition)
        return any(held[mate] < held_at(level) for mate in circle & held.keys())

    def _make(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        chosen: Sequence[tuple[Affected, DueMark]],
        snapshot: Any,
        now: datetime,
    ) -> list[Calculated]:
        claimed = [_claimed(hit, mark) for hit, mark in chosen]
        try:
            done = [
                unless_circular(connection, one, self.matcher.registry)
                for one in self._calculated(connection, definition, claimed)
            ]
        except (SQLAlchemyError, AfterworkError):
            raise
        except Exception as error:  # of a row that can't be read: it is found out whose trouble that is
            raise NotAtOnce(text_of(error)) from error
        for one in done:
            if isinstance(one.error, DBAPIError):
                raise one.error
        self.matcher.reached("ran", definition.name)
        waiting = [hit.cache for hit, _ in chosen if hit.waits]
        return self.result_store.store_at_once(connection, definition, snapshot, done, waiting, now)

    def _calculated(
        self, connection: Connection, definition: RegisteredDerivation, claimed: Sequence[ClaimedCache]
    ) -> Iterator[Calculated]:
        match self.calculators.of(definition):
            case SqlCalculator() as calculator:
                yield from calculator.calculate_unmoved(connection, claimed)
            case calculator:
                with self.matcher.database.reading_part(connection):
                    yield from calculator.calculate(connection, claimed, self.limit)
                    self.matcher.database.check_in_transaction(connection)


def _lowest(ready: list[tuple[Affected, DueMark]], levels: Mapping[int, int]) -> list[tuple[Affected, DueMark]]:
    """Without those that are made of others, which may change them. What is in no circle has no level."""
    lowest = min((levels[hit.cache] for hit, _ in ready if hit.cache in levels), default=0)
    return [(hit, mark) for hit, mark in ready if levels.get(hit.cache, lowest) == lowest]


def _claimed(hit: Affected, mark: DueMark) -> ClaimedCache:
    reread = mark.reread or hit.waits  # what it waits for may be a reason to read again
    return ClaimedCache(
        hit.cache, hit.root, hit.digest, hit.runs, mark.cause, mark.cause_cache, mark.depth, mark.attempts, reread,
        mark.since,
    )  # fmt: skip

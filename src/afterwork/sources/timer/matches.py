"""Matches of timers start jobs, as tickets do; with tickets, they are one source of jobs."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection

from afterwork.events import SourceKind
from afterwork.jobs.arguments import ObjectsOfArguments
from afterwork.jobs.blocked import BlockedLooks
from afterwork.jobs.results import KeptResult
from afterwork.jobs.run import Outcome, Raised, Rejected, Succeeded
from afterwork.jobs.session import RunSession
from afterwork.jobs.source import Claim, ClaimedWork, Due, SourceContext
from afterwork.model.arguments.result import WorkResult
from afterwork.model.variable import DUE, load_variables
from afterwork.sources.ticket import TicketSource
from afterwork.store import progress
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.timers import MATCH, MATCHES, Matches, Timers

FAILED_KEPT_MINUTES = 60 * 24 * 30
"""The time for which the row of a failed match is kept. A new match of its object then keeps the run's id."""


class MatchSource(TicketSource):
    name: SourceKind = "timer"

    def __init__(self, context: SourceContext, installation: uuid.UUID, limits: LaneLimits) -> None:
        super().__init__(context, installation, limits, MATCHES)
        self._timers = Timers(context.database.dialect, self.model.timers)
        self._matches = Matches()

    def claim(self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int) -> ClaimedWork:
        claimed = super().claim(connection, lane, priority, now, most)
        return replace(claimed, claims=_unless_cancelled(connection, claimed.claims))

    def claim_again(self, connection: Connection, claim: Claim) -> Claim | None:
        return _one_unless_cancelled(connection, super().claim_again(connection, claim))

    def leased_claim(self, connection: Connection, key: str, lane: str) -> Claim | None:
        return _one_unless_cancelled(connection, super().leased_claim(connection, key, lane))

    def variables(self, connection: Connection, claims: Sequence[Claim]) -> dict[Any, Mapping[str, Any]]:
        timed = self.model.timers
        keys = [claim.key for claim in claims if claim.run.work in timed and timed[claim.run.work].variables]
        rounds = self._matches.rounds(connection, keys) if keys else {}
        return {key: {DUE: due} | load_variables(text) for key, (due, text) in rounds.items()}

    def settle(self, connection: Connection, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        super().settle(connection, outcomes, now)
        ended: dict[str, list[str | None]] = defaultdict(list)
        for claim, outcome in outcomes:
            match outcome:
                case Succeeded() | Rejected(error=progress.CANCELLED):
                    ended[claim.run.work].append(None)
                case Raised(error=reason, again_after=None) | Rejected(error=reason):
                    ended[claim.run.work].append(reason)
                case _:
                    pass  # it is tried again
        for name, errors in sorted(ended.items()):
            failed = [error for error in errors if error is not None]
            self._timers.count(connection, name, len(failed), failed[-1] if failed else None, now)

    def kept_minutes(self, keep: int, error: str | None) -> int:
        return keep if error in (None, progress.CANCELLED) else FAILED_KEPT_MINUTES


def _unless_cancelled(connection: Connection, claims: Sequence[Claim]) -> Sequence[Claim]:
    """Return the claims of matches that were not asked to stop."""
    stopping = progress.asked_to_stop(connection, [claim.key for claim in claims]) if claims else set()
    return [replace(claim, work=progress.CANCELLED) if claim.key in stopping else claim for claim in claims]


def _one_unless_cancelled(connection: Connection, claim: Claim | None) -> Claim | None:
    return None if claim is None else _unless_cancelled(connection, [claim])[0]


def _rank(priority: object) -> tuple[int, object]:
    """Return the sort key of a priority. SQLite allows other values than numbers, and sorts them last."""
    return (0, priority) if isinstance(priority, int | float) else (1 + isinstance(priority, bytes), priority)


@dataclass(frozen=True)
class TicketsAndMatches:
    """The job source of a model with timers. If both have something due in a lane, they take turns."""

    tickets: TicketSource
    matches: MatchSource
    blocked: BlockedLooks
    _last: dict[str, TicketSource] = field(default_factory=dict)

    name = "ticket or timer"

    def counts_attempts(self, claim: Claim) -> bool:
        return self._of(claim.key).counts_attempts(claim)

    def due(self, connection: Connection, now: datetime) -> Due:
        tickets, matches = self._due(self.tickets, connection, now), self._due(self.matches, connection, now)
        both = tickets.beside(matches)
        lanes = {
            lane: sorted({*tickets.workloads.get(lane, ()), *matches.workloads.get(lane, ())}, key=_rank)
            for lane in both.workloads
        }
        return Due(lanes, both.next_due)

    def _due(self, source: TicketSource, connection: Connection, now: datetime) -> Due:
        """Return what is due of one of both, unless its table is locked: the other one goes on."""
        otherwise = Due({}, self.blocked.again_at(now))
        return self.blocked.unless_blocked(source.name, connection, lambda: source.due(connection, now), otherwise)

    @property
    def leaves_work(self) -> bool:
        return self.tickets.leaves_work or self.matches.leaves_work

    def claim(self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int) -> ClaimedWork:
        order = [source for source in (self.tickets, self.matches) if not self.blocked.has(source.name)]
        for source in order[::-1] if self._last.get(lane) is self.tickets else order:
            with self.blocked.noting(source.name):
                claimed = source.claim(connection, lane, priority, now, most)
            if claimed.claims or claimed.goes_on:
                self._last[lane] = source
                return claimed
        return ClaimedWork([])

    def claim_again(self, connection: Connection, claim: Claim) -> Claim | None:
        return self._of(claim.key).claim_again(connection, claim)

    def leave(self, claim: Claim, until: datetime) -> None:
        self._of(claim.key).leave(claim, until)

    def leased_claim(self, connection: Connection, key: str, lane: str) -> Claim | None:
        return self._of(key).leased_claim(connection, key, lane)

    def is_for_others(self, connection: Connection, key: str, lane: str) -> bool:
        return self._of(key).is_for_others(connection, key, lane)

    def roots(self, session: RunSession, claims: Sequence[Claim]) -> dict[Any, object | None | str]:
        return self.tickets.roots(session, claims)

    def objects(self, session: RunSession, claims: Sequence[Claim]) -> ObjectsOfArguments:
        return self.tickets.objects(session, claims)

    def variables(self, connection: Connection, claims: Sequence[Claim]) -> dict[Any, Mapping[str, Any]]:
        return self.matches.variables(connection, [claim for claim in claims if self._of(claim.key) is self.matches])

    def kept(self, claim: Claim, result: WorkResult, returned: object) -> KeptResult | None:
        return self._of(claim.key).kept(claim, result, returned)

    def settle(self, connection: Connection, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        for source in (self.tickets, self.matches):
            own = [(claim, outcome) for claim, outcome in outcomes if self._of(claim.key) is source]
            if own:
                source.settle(connection, own, now)

    def check(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        for source in (self.tickets, self.matches):
            own = [claim for claim in claims if self._of(claim.key) is source]
            if own:
                source.check(connection, own, now)

    def check_unchanged(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        own = [claim for claim in claims if self._of(claim.key) is self.tickets]
        self.tickets.check_unchanged(connection, own, now)

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        return self.tickets.is_used(lane) | self.matches.is_used(lane)

    def has_expired(self, now: datetime) -> ColumnElement[bool]:
        return self.tickets.has_expired(now) | self.matches.has_expired(now)

    def prune(self, connection: Connection, now: datetime, most: int) -> int:
        return self.tickets.prune(connection, now, most) or self.matches.prune(connection, now, most)

    def _of(self, key: object) -> TicketSource:
        return self.matches if isinstance(key, str) and key.startswith(MATCH) else self.tickets

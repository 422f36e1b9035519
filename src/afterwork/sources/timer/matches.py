"""Matches of timers start jobs, as tickets do."""

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.events import SourceKind
from afterwork.jobs.outcome import Outcome, Raised, Rejected, Succeeded
from afterwork.jobs.source import Claim, ClaimedWork
from afterwork.model.inspection import ModelInfo
from afterwork.model.variable import DUE
from afterwork.model.variable_json import load_variables
from afterwork.sources.ticket import TicketSource
from afterwork.store import progress
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.matches import MATCHES
from afterwork.store.routing import ALL, Routing
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.timers import Matches, Timers

FAILED_KEPT_MINUTES = 60 * 24 * 30
"""The time for which the row of a failed match is kept. A new match of its object then keeps the run's id."""


class MatchSource(TicketSource):
    """A source that looks for matches that have not run, and settles them."""

    name: SourceKind = "timer"

    def __init__(
        self,
        model: ModelInfo,
        dialect: str,
        installation: uuid.UUID,
        timers: Timers,
        clock: Clock,
        routing: Routing = ALL,
        limits: LaneLimits | None = None,
    ) -> None:
        super().__init__(model, tickets_of(MATCHES, dialect), installation, clock, routing, limits)
        self._timers = timers
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
                case Succeeded() | Rejected(reason=progress.CANCELLED):
                    ended[claim.run.work].append(None)
                case Raised(text=reason, again_after=None) | Rejected(reason=reason):
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

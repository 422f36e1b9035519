"""The source of tickets: a row of SysAsyncTicket that is due starts a job."""

import math
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection

from afterwork.errors import BatchDisturbed, MalformedExternalId, UnknownWork, shown
from afterwork.events import SourceKind
from afterwork.jobs.arguments import ObjectsOfArguments
from afterwork.jobs.results import KeptResult, Results
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Hindered, Outcome, Raised, Rejected, Run, Succeeded, Superseded, Withdrawn, printable
from afterwork.jobs.session import RunSession
from afterwork.jobs.source import Claim, ClaimedWork, Due, SourceContext, Workload
from afterwork.model.arguments.result import WorkResult
from afterwork.model.contract import DEFAULT_KEEP_MINUTES, MAX_KEEP_MINUTES, Contract, receipt_minutes
from afterwork.model.external_id import ExternalId, parse
from afterwork.model.flow import AWAITING
from afterwork.model.key import parse_key
from afterwork.model.lane import MAIN
from afterwork.model.machine.state_scope import base_of
from afterwork.model.work import Work
from afterwork.sources.skipped import SkippedTickets
from afterwork.store import progress, server_rows
from afterwork.store.lane_limits import LaneLimits
from afterwork.store.readable_values import NOT_UTF_8, UndecodableText
from afterwork.store.routing import routing_of
from afterwork.store.tickets.columns import aware, most_attempts
from afterwork.store.tickets.end_forms import expiry_error
from afterwork.store.tickets.rows import ClaimRequest, DueGroup, EndedTicket, TicketRow
from afterwork.store.tickets.statements import tickets_of

NO_TEXT = f"The ticket's {{}} {NOT_UTF_8}: {{}}. Write the ticket anew."


class TicketSource:
    """A source that claims due tickets and settles them."""

    name: SourceKind = "ticket"

    def __init__(
        self, context: SourceContext, installation: uuid.UUID, limits: LaneLimits, contract: Contract | None = None
    ) -> None:
        self.model, self.clock, self.installation = context.model, context.clock, installation
        self.routing, self.limits = routing_of(context.database.settings), limits
        self.tickets = tickets_of(contract or self.model.contract, context.database.dialect)
        self._skipped = SkippedTickets(self.tickets)
        self._odd: dict[Any, str] = {}
        """The keys of tickets that the last look found in a lane that can't be served, with the reason."""
        self._roots = Roots()
        settings = context.database.settings
        self._results = Results(self.tickets.contract, context.events, settings.arguments_limit)
        kept = math.ceil(settings.keep_failures / timedelta(minutes=1))
        self._failures_kept = min(kept, MAX_KEEP_MINUTES)

    def counts_attempts(self, claim: Claim) -> bool:
        attempts = self.tickets.contract.attempts
        return attempts is not None and claim.run.attempt <= most_attempts(attempts.column)

    def variables(self, connection: Connection, claims: Sequence[Claim]) -> dict[Any, Mapping[str, Any]]:
        return {}

    def due(self, connection: Connection, now: datetime) -> Due:
        lanes: dict[Workload, list[int]] = {}
        coming: list[datetime] = []
        self._unskip_known_by_nobody(connection)
        coming.extend(filter(None, [self._skipped.next_due(now)]))
        for group in self._skipped.rest.groups(connection):
            lane = self._lane(group)
            if not self.routing.serves(lane, self.name):
                continue
            if group.earliest is None or group.earliest <= now:
                lanes.setdefault(lane, []).append(group.priority)
            elif group.earliest != AWAITING:
                coming.append(group.earliest)
        return Due(lanes, min(coming, default=None))

    def claim(self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int) -> ClaimedWork:
        if not self.routing.serves(lane, self.name):
            return ClaimedWork([])
        if lane == MAIN and (odd := self._odd):
            self._odd = {}
            odd_rows = [(self.tickets.row(connection, key), why) for key, why in odd.items()]
            return self._end_odd(connection, [(row, why) for row, why in odd_rows if row is not None], now)
        mode, by_rate = self.limits.mode(lane), self.limits.rate(lane) is not None
        rest = self._skipped.rest
        request = ClaimRequest(lane, priority, now, most)
        rows = rest.claim_due(connection, request, mode, by_rate)
        if not rows and (hidden := rest.hidden(connection, request)):
            return ClaimedWork([], moved=False, hidden=[self._claim(row, lane, now) for row in hidden])
        rows = rows or rest.claim_later(connection, request, mode, by_rate)
        if odd_keys := [(row, NO_TEXT.format("key", row.key)) for row in rows if isinstance(row.key, UndecodableText)]:
            return self._end_odd(connection, odd_keys, now)
        own = [self._claim(row, lane, now) for row in rows if not self._leaves(connection, row, lane)]
        kept = self._in_their_lane(connection, own)
        return ClaimedWork(kept, moved=len(kept) < len(rows))

    def _lane(self, group: DueGroup) -> str:
        """Return the lane of a group. A lane name that is no text can't be claimed, so its tickets are ended in
        `main`."""
        if isinstance(group.lane, UndecodableText):
            self._odd = {**self._odd, group.key: NO_TEXT.format("Lane", group.lane)}
            return MAIN
        return group.lane

    def _end_odd(self, connection: Connection, rows: Sequence[tuple[TicketRow, str]], now: datetime) -> ClaimedWork:
        for row, why in rows:
            keep = self.kept_minutes(DEFAULT_KEEP_MINUTES, why)
            self.tickets.end_odd(connection, EndedTicket(row, keep, why), now)
        # The lane and root of a run are for people to read, so any text will do.
        ended = [(self._claim(row, row.lane or MAIN, None).run, Rejected(why)) for row, why in rows]
        return ClaimedWork([], moved=True, ended=ended)

    # Jobs that this server doesn't know are left to servers that do.

    def is_for_others(self, connection: Connection, key: str, lane: str) -> bool:
        if not self.routing.serves(lane, self.name):
            return True
        try:
            work = self.tickets.work(connection, parse_key(key, self.tickets.columns.key))
        except ValueError:
            return False  # this lease belongs to no ticket
        known = work is None or self.model.knows(work)
        return not known and server_rows.somebody_runs(connection, base_of(str(work)), lane, self.name)

    def _leaves(self, connection: Connection, row: TicketRow, lane: str) -> bool:
        """Return whether a ticket is left to a server that knows its work.

        From then on, all tickets of that work are left to it.
        """
        if row.work is None or self.model.knows(row.work):
            return False
        if row.work not in self._skipped.works and server_rows.somebody_runs(
            connection, base_of(row.work), lane, self.name
        ):
            self._skipped.skip_works(self._skipped.works | {row.work})
        return row.work in self._skipped.works

    def _unskip_known_by_nobody(self, connection: Connection) -> None:
        """Stop skipping jobs that only lost servers knew."""
        if works := self._skipped.works:
            known = {work for work in works if server_rows.somebody_runs(connection, base_of(work), None, self.name)}
            if known != works:
                self._skipped.skip_works(known)

    @property
    def leaves_work(self) -> bool:
        return bool(self._skipped.works)

    def leave(self, claim: Claim, until: datetime) -> None:
        self._skipped.skip(claim.key, until)

    def claim_again(self, connection: Connection, claim: Claim) -> Claim | None:
        lane = claim.run.lane
        row = self.tickets.claim_one(connection, lane, claim.key, self.limits.mode(lane))
        return None if row is None else self._claim(row, claim.run.lane, self.clock.now())

    def leased_claim(self, connection: Connection, key: str, lane: str) -> Claim | None:
        try:
            wanted = parse_key(key, self.tickets.columns.key)
        except ValueError:
            return None  # this lease belongs to no ticket
        row = self.tickets.row(connection, wanted)
        return None if row is None else self._claim(row, lane, None)  # it has begun, so it can't expire

    def roots(self, session: RunSession, claims: Sequence[Claim]) -> dict[Any, object | None | str]:
        ids: dict[Any, ExternalId] = {}
        roots: dict[Any, object | str | None] = {}
        for claim in claims:
            if claim.run.root_id is None:
                roots[claim.key] = None
                continue
            try:
                ids[claim.key] = parse(claim.run.root_id, self.model.classes)
            except MalformedExternalId as error:
                roots[claim.key] = f"RootId: {error}"
        objects = self._roots.load(session, ids.values())
        for key, wanted in ids.items():
            root = objects.get(wanted)
            roots[key] = f"The root {wanted} is not there (any more)." if root is None else root
        return roots

    def objects(self, session: RunSession, claims: Sequence[Claim]) -> ObjectsOfArguments:
        objects = ObjectsOfArguments(session, self._roots, self.model.classes)
        objects.load(claim.row.arguments for claim in claims)
        return objects

    def kept(self, claim: Claim, result: WorkResult, returned: object) -> KeptResult | None:
        return self._results.kept(claim.run.work, result, returned)

    def settle(self, connection: Connection, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        ended = []
        for claim, outcome in outcomes:
            row: TicketRow = claim.row
            match outcome:
                case Succeeded(result=result):
                    keep = self.kept_minutes(receipt_minutes(row.keep_minutes), None)
                    ended.append(EndedTicket(row, keep, None, result=None if result is None else result.text))
                case Raised(again_after=again_after) if again_after is not None:
                    self.tickets.try_again(connection, row, now + again_after)
                case Hindered(again_after=again_after):
                    self.tickets.defer(connection, row, now + again_after)
                case Raised(error=reason, form=form) | Rejected(error=reason, form=form):
                    keep = self.kept_minutes(receipt_minutes(row.keep_minutes), reason)
                    ended.append(EndedTicket(row, keep, printable(reason), form))
                case Superseded() | Withdrawn():
                    pass  # settled by the server that took it over, or by hand
        if len(outcomes) == 1:
            self.tickets.end(connection, ended, now)
        elif self.tickets.end_batch(connection, ended, now, _lane_of(outcomes)) < len(ended):
            raise BatchDisturbed()

    def check(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        lanes = {claim.run.lane for claim in claims}
        if len(lanes) == 1:
            unchanged = self.tickets.in_place(connection, [claim.row for claim in claims], now, lanes.pop())
        else:
            places = {claim.key: (claim.run.lane, claim.row.priority) for claim in claims}
            unchanged = self.tickets.in_places(connection, places, now)
        if unchanged < len(claims):
            raise BatchDisturbed()

    def check_unchanged(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        lanes: dict[str, list[TicketRow]] = {}
        for claim in claims:
            lanes.setdefault(claim.run.lane, []).append(claim.row)
        for lane, rows in lanes.items():
            if not self.tickets.are_as_claimed(connection, rows, now, lane):
                raise BatchDisturbed()

    def kept_minutes(self, keep: int, error: str | None) -> int:
        """Return the number of minutes for which a run's receipt is kept, of which it asks for `keep`."""
        return keep if error in (None, progress.CANCELLED) else max(keep, self._failures_kept)

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        return self.tickets.is_used(lane)

    def has_expired(self, now: datetime) -> ColumnElement[bool]:
        return self.tickets.has_expired(now)

    def prune(self, connection: Connection, now: datetime, most: int) -> int:
        return self.tickets.prune(connection, now, most)

    def _claim(self, row: TicketRow, lane: str, now: datetime | None) -> Claim:
        source = self.installation, f"{self.tickets.contract.table.name} {row.key} {row.created}"
        run = Run(
            source, row.work or "", row.root_id, lane, _attempts(row) + 1, row.key, self.name, row.due, row.trace_parent
        )
        not_after = aware(row.not_after)
        return Claim(row.key, run, expiry_error(not_after, now) or self._work(row), row, not_after)

    def _work(self, row: TicketRow) -> Work | str:
        if row.odd_earliest is not None:
            return f"ExecuteEarliest is {shown(row.odd_earliest)}. It must be a timestamp, like 2027-01-31 18:00:00."
        keep = row.keep_minutes
        if not isinstance(keep, int) or not 0 <= keep <= MAX_KEEP_MINUTES:
            return f"KeepReceiptMinutes is {keep!r}. It must be 0 or more minutes, at most {MAX_KEEP_MINUTES:,}."
        try:
            return self.model.work(row.work)
        except UnknownWork as error:
            return str(error)

    def _in_their_lane(self, connection: Connection, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Move rows without a lane to the lane that their job declares, and return the claims that stay. Whoever wrote
        such a row may not know the lane."""
        if self.tickets.contract.lane is None:
            return claims
        kept: list[Claim] = []
        strays: dict[str, list[Any]] = {}
        for claim in claims:
            declared = MAIN if isinstance(claim.work, str) else claim.work.lane
            if claim.row.lane is None and declared != MAIN:
                strays.setdefault(declared, []).append(claim.key)
            else:
                kept.append(claim)
        for lane, keys in strays.items():
            self.tickets.move(connection, keys, lane)
        return kept


def _attempts(row: TicketRow) -> int:
    """Return the number of attempts of a ticket, whatever its column contains."""
    return max(0, row.attempts) if isinstance(row.attempts, int) else 0


def _lane_of(outcomes: Sequence[tuple[Claim, Outcome]]) -> str | None:
    """Return the common lane of these runs; None if they have several."""
    lanes = {claim.run.lane for claim, _ in outcomes}
    return lanes.pop() if len(lanes) == 1 else None

"""Lanes that share a transaction, when lanes outnumber workers and each has little to do.

Unrelated jobs then wait for each other. So only jobs that have been quick so far share one; the others run as usual.
"""

from collections.abc import Iterable, Mapping
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.attempts import Settled
from afterwork.jobs.batch import BatchSize, CommittedBatch, Mixed
from afterwork.jobs.in_transaction import run_mixed
from afterwork.jobs.quarantine import Loss
from afterwork.jobs.run import Hindered, Succeeded
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Claim

QUICK_SECONDS, SLOW_SECONDS = 0.03, 0.1
"""Up to the first, a run is quick; from the second on, its work must prove itself quick again."""

QUICK_RUNS_NEEDED = 10
"""Quick runs, with no slow one between, that a work needs to share a transaction."""

MAX_KNOWN_LANES = 10_000
"""Lanes to remember, at most."""


class SharedTransactions:
    """Decides which lanes share a transaction, for the workers of one server. `sizes` are the batch sizes of lanes in
    which something has gone wrong."""

    def __init__(self, runner: Runner, sizes: Mapping[str, BatchSize]) -> None:
        self._runner = runner
        self._sizes = sizes
        self._size = BatchSize.of(runner.settings.batch)
        self._most: dict[str, int] = {}
        self._unfit: dict[str, str] = {}
        self._quick: dict[str, int] = {}
        """The number of quick runs of each job since one was slow."""
        self._needed: dict[str, int] = {}
        """The number needed, for jobs that have waited for rows of others."""
        self._proven: frozenset[str] = frozenset()

    def most_with(self, lane: str) -> int:
        """Return how many lanes may share the next transaction of a lane, itself included."""
        runner = self._runner
        if runner.limits.claims_singly(lane) or lane in self._sizes or runner.quarantine.is_needed(lane):
            return 1
        if not self._proven or (lane in self._unfit and self._unfit[lane] not in self._proven):
            return 1
        return min(self._size.next, self._most.get(lane, self._size.next))

    def run(self, connection: Connection, lanes: Mapping[str, int | None]) -> Mixed:
        """Run the first tickets of several lanes in one transaction, if they are free and may share it."""
        limit = max(1, self._size.next // len(lanes))
        attempt = partial(run_mixed, self._runner, connection, lanes, limit, self._may_share)
        try:
            mixed = self._runner.database.again_if_outdated(attempt)
        except BaseException as error:
            self._note_lost(connection, lanes, error)
            raise
        self._note(mixed)
        return mixed

    def _learn(self, settled: Settled) -> None:
        """Learn from runs whether their jobs are quick."""
        for claim, outcome in settled:
            if isinstance(outcome, Succeeded) and not claim.external:
                self._note_run(claim.run.work, outcome.seconds)

    def _note_run(self, work: str, seconds: float) -> None:
        if seconds >= SLOW_SECONDS:
            self._doubt(work)
        elif seconds <= QUICK_SECONDS:
            self._quick[work] = runs = self._quick.get(work, 0) + 1
            if runs >= self._needed.get(work, QUICK_RUNS_NEEDED) and work not in self._proven:
                self._proven |= {work}

    def _doubt(self, work: str) -> None:
        self._quick[work] = 0
        self._proven -= {work}

    def ran_alone(self, lane: str, settled: Settled) -> None:
        """Note that a lane had a transaction to itself. It stays alone as long as its ticket waits for a row."""
        self._learn(settled)
        if any(isinstance(outcome, Hindered) for _, outcome in settled):
            self._most[lane] = 1
        else:
            self._forget(lane)

    def _forget(self, lane: str) -> None:
        self._most.pop(lane, None)
        self._unfit.pop(lane, None)

    def _may_share(self, claim: Claim) -> bool:
        return not claim.external and claim.run.work in self._proven and claim.key not in self._runner.apart

    def _note(self, mixed: Mixed) -> None:
        for lane in mixed.obtained:
            self._forget(lane)
        if len(self._most) + len(self._unfit) > MAX_KNOWN_LANES:
            self._most, self._unfit = {}, {}
        self._most |= {lane: most for lane, most in mixed.left.items() if most is not None}
        self._unfit |= mixed.unfit
        for work in mixed.hindered:
            # Batches hold rows for longer than single runs, so such jobs do better without.
            self._needed[work] = 2 * self._needed.get(work, QUICK_RUNS_NEEDED)
            self._doubt(work)
        if isinstance(mixed.batched, CommittedBatch):
            self._size.note(mixed.batched)
            self._learn(mixed.batched.settled)

    def _note_lost(self, connection: Connection, lanes: Iterable[str], error: BaseException) -> None:
        """Note that a ticket of one of these lanes ended its connection or worker."""
        database = self._runner.database
        if database.has_lost(connection, error) or not database.is_contended(error):
            for lane in lanes:
                self._runner.quarantine.lost(Loss.of(database, connection, lane, None, error))

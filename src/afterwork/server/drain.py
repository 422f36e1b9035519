"""Draining a lane: running its due jobs until none is left."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from afterwork.jobs.async_run import AsyncRun
from afterwork.jobs.attempts import Settled
from afterwork.jobs.batch import Batched, BatchSize, CommittedBatch, TakenApart, Undone
from afterwork.jobs.in_transaction import run_batch
from afterwork.jobs.leased import begin, begin_async, run_claimed, run_leased
from afterwork.jobs.quarantine import Loss
from afterwork.jobs.run import Rejected
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Claim
from afterwork.model.key import key_text
from afterwork.model.lane import PARALLEL
from afterwork.server.async_runner import AsyncRunner, RunPlace
from afterwork.store import lane_rate, leases
from afterwork.store.leases import Lease


@dataclass(frozen=True)
class Drainer:
    """Drains lanes for one server. `holding` registers each lease while it is worked on. `may_run_externally` returns
    whether a run may begin that keeps its worker until it ends. `loop` has those awaited that keep none."""

    runner: Runner
    server: int
    holding: Callable[[Lease, bool], None]
    may_run_externally: Callable[[], bool]
    loop: AsyncRunner
    sizes: dict[str, BatchSize] = field(default_factory=dict)
    """The batch sizes of lanes in which something has gone wrong, from one turn to the next."""

    def drain(self, connection: Connection, lane: str, priority: int | None) -> Iterator[Batched]:
        """Run what is due in a lane, beginning with a priority, or with the lane's first ticket.

        Yields after each transaction."""
        size = self.sizes.get(lane) or BatchSize.of(self._most(lane))
        while True:
            batched = self._run_next(connection, lane, priority, size.next)
            self._remember(lane, size.note(batched))
            yield batched
            match batched:
                case CommittedBatch(more=False):
                    return
                case CommittedBatch():
                    priority = None
                case Undone() | TakenApart():
                    pass  # the same again, but fewer, or one by one

    def _remember(self, lane: str, size: BatchSize) -> None:
        if size.is_usual:
            self.sizes.pop(lane, None)
        else:
            self.sizes[lane] = size

    def resume(self, connection: Connection, lease: Lease) -> Settled:
        """Resume the run that a lease of this server holds."""
        with self._holding(connection, lease):
            with self.runner.database.transaction(connection):
                leases.begin_again(self.runner.database, connection, lease)
            return self._awaited(connection, run_leased(self.runner, connection, lease), self.loop.place)

    def _most(self, lane: str) -> int:
        return 1 if self.runner.limits.claims_singly(lane) else self.runner.settings.batch

    def _run_next(self, connection: Connection, lane: str, priority: int | None, most: int) -> Batched:
        has_rate = self.runner.limits.rate(lane) is not None
        return (self._run_at_rate if has_rate else self._run)(connection, lane, priority, most)

    def _run_at_rate(self, connection: Connection, lane: str, priority: int | None, most: int) -> Batched:
        """Run the next job of a lane that has a rate. Its start is noted before it begins."""
        database, clock = self.runner.database, self.runner.clock
        if not lane_rate.take(database, connection, lane, clock):
            return CommittedBatch([], more=False)
        batched = self._run(connection, lane, priority, 1)
        match batched:
            case CommittedBatch(settled=settled, going_on=0) if all(
                isinstance(outcome, Rejected) for _, outcome in settled
            ):
                # Nothing began: none was due, or all were rejected.
                lane_rate.give_back(database, connection, lane, clock.now())
            case _:
                pass
        return batched

    def _run(self, connection: Connection, lane: str, priority: int | None, most: int) -> Batched:
        again = self.runner.database.again_if_outdated
        is_alone = self.runner.quarantine.tries_alone(lane)
        first = again(lambda: self._first(connection, lane, priority)) if is_alone else None
        result = first or again(lambda: self._batch(connection, lane, priority, most))
        if not isinstance(result, Claim):
            return result
        return self._begin_async(connection, lane, priority) if result.is_async else self._leased(connection, result)

    def _batch(self, connection: Connection, lane: str, priority: int | None, most: int) -> Batched | Claim:
        try:
            return run_batch(self.runner, connection, lane, priority, most)
        except BaseException as error:
            self._note(connection, lane, None, error)
            raise

    def _first(self, connection: Connection, lane: str, priority: int | None) -> Claim | None:
        with self.runner.database.transaction(connection):
            claimed = self.runner.job_source.claim(connection, lane, priority, self.runner.clock.now(), 1)
        self.runner.report_runs(claimed.ended)
        return next(iter(claimed.claims), None)

    def _leased(self, connection: Connection, claim: Claim) -> CommittedBatch:
        if claim.external and not self.may_run_externally():
            return CommittedBatch([], more=False)
        lease = self._lease(claim)
        with self._holding(connection, lease):
            begun = begin(self.runner, connection, claim, lease)
            run = run_leased(self.runner, connection, lease) if begun else []
            settled = self._awaited(connection, run, self.loop.place)
            return CommittedBatch(settled, more=bool(settled))

    def _lease(self, claim: Claim) -> Lease:
        return Lease(str(claim.run.id), key_text(claim.key), claim.run.lane, self.server, epoch=1)

    def _begin_async(self, connection: Connection, lane: str, priority: int | None) -> CommittedBatch:
        """Begin runs that are to be awaited, several at once where their lane has no limit."""
        places = self.loop.places(lane, self.runner.settings.batch if lane == PARALLEL else 1)
        settled: Settled = []
        with ExitStack() as stack:
            stack.callback(self._free, places)

            def lease_of(claim: Claim) -> Lease:
                lease = self._lease(claim)
                stack.enter_context(self._holding(connection, lease))
                return lease

            begun = begin_async(self.runner, connection, lane, priority, len(places), lease_of) if places else {}
            for lease, claim in begun.items():
                run = run_claimed(self.runner, connection, lease, claim)
                settled += self._awaited(connection, run, lambda _: places.pop())
        going_on = len(begun) - len(settled)
        return CommittedBatch(settled, more=bool(begun) and self.loop.may_begin_more(lane), going_on=going_on)

    def _free(self, places: Sequence[RunPlace]) -> None:
        for place in places:
            self.loop.free(place)

    def _awaited(self, connection: Connection, run: AsyncRun | Settled, place: Callable[[str], RunPlace]) -> Settled:
        """Return the outcome of a run. Have it awaited at a place first, if that is still to be done; the outcome is []
        if it comes later."""
        if not isinstance(run, AsyncRun):
            return run
        return self.loop.begin(connection, run, place(run.lease.lane), self._settle)

    def _settle(self, connection: Connection, run: AsyncRun) -> Settled:
        with self._holding(connection, run.lease):
            return run.settle(connection)

    @contextmanager
    def _holding(self, connection: Connection, lease: Lease) -> Iterator[None]:
        """Hold a lease while the block lasts.

        Register it before it is inserted: the loop would otherwise take it for forgotten and take it over.
        """
        self.holding(lease, True)
        try:
            yield
        except BaseException as error:
            self._note(connection, lease.lane, lease.ticket, error)
            raise
        finally:
            self.holding(lease, False)

    def _note(self, connection: Connection, lane: str, key: str | None, error: BaseException) -> None:
        """Note a run that ended its connection or worker, and so could not be settled."""
        database = self.runner.database
        if database.has_lost(connection, error) or not database.is_contended(error):
            self.runner.quarantine.lost(Loss.of(database, connection, lane, key, error))

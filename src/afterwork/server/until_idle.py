"""Running everything that is due in this thread, and then stopping: for tests and scripts."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.batch import CommittedBatch
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Assignment, EndedRuns, Peers, Source, WorkerHandle, Workload
from afterwork.server.async_runner import AsyncRunnerInPlace
from afterwork.server.drain import Drainer
from afterwork.server.history import write_at_end
from afterwork.server.presence import Presence
from afterwork.server.prune import prune
from afterwork.store.leases import ensure_lanes


def run_until_idle(runner: Runner, connection: Connection) -> Iterator[EndedRuns]:
    """Run until nothing is due that this thread can run. Yields the outcomes, in order."""
    presence = Presence.enter(connection, runner.database, runner.clock, runner.events, runner.says)
    loop = AsyncRunnerInPlace(runner.events)
    drainer = Drainer(runner, presence.id, lambda lease, begun: None, may_run_externally=lambda: True, loop=loop)
    runner.quarantine.enter(presence.id, drainer.holding)
    runner.limits.declare(runner.database, connection)
    try:
        presence.see(connection, runner.quarantine)
        peers = Peers(presence.id, lambda: presence.living(connection), claims=list)
        for source in runner.sources:
            source.check(connection)
            source.adopt(connection, peers)
        yield from _run(runner, connection, presence, drainer)
        prune(runner, connection)
    finally:
        loop.stop()
        if not connection.invalidated:
            write_at_end(runner, connection, presence.id)
            presence.leave(connection)


def _run(runner: Runner, connection: Connection, presence: Presence, drainer: Drainer) -> Iterator[EndedRuns]:
    unavailable: set[Workload] = set()
    takes = partial(runner.takes, connection)
    while True:
        for lease in presence.adopt_orphans(connection, list, None, takes):
            yield [(claim.run, outcome) for claim, outcome in drainer.resume(connection, lease)]
        due = runner.due(connection)
        connection.commit()
        due_here = {work: first for work, (first, *_) in due.workloads.items() if work not in unavailable}
        if not due_here:
            return
        for source in runner.sources:
            if source.own in due_here:
                worker = _worker(source, presence.id, drainer)
                had_work = False
                for ran in source.work(connection, worker):
                    had_work = True
                    runner.report_runs(ran)
                    yield ran
                if not had_work:
                    unavailable.add(source.own)
        lanes = {lane: first for lane, first in due_here.items() if isinstance(lane, str)}
        ensure_lanes(connection, lanes)
        for lane, priority in lanes.items():
            ran_something = False
            for batched in drainer.drain(connection, lane, priority):
                if isinstance(batched, CommittedBatch) and batched.settled:
                    ran_something = True
                    yield [(claim.run, outcome) for claim, outcome in batched.settled]
            if not ran_something:
                unavailable.add(lane)


def _worker(source: Source, server: int, drainer: Drainer) -> WorkerHandle:
    assignment = Assignment(source.own, {source.own: None}, began=0.0)
    return WorkerHandle(server, assignment, drainer.holding, lambda claim, begun: None)

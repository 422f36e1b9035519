"""Running all that is due in this thread, and then stopping: for tests and scripts."""

from collections.abc import Iterator
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.batch import Done
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import CACHES, ONCE, TIMERS, Ran
from afterwork.server.drain import Drainer
from afterwork.server.history import write_at_end
from afterwork.server.presence import Presence
from afterwork.server.prune import prune
from afterwork.store.leases import ensure_lanes


def run_until_idle(runner: Runner, connection: Connection) -> Iterator[Ran]:
    """Run until nothing more is due that this thread can have. Yields what came of it, in order."""
    presence = Presence.enter(connection, runner.database, runner.clock, runner.events, runner.says)
    drainer = Drainer(runner, presence.id, lambda lease, begun: None, may_go_outside=lambda: True)
    runner.quarantine.enter(presence.id, drainer.holding)
    runner.limits.declare(runner.database, connection)
    try:
        presence.crashed(connection)
        presence.heed(connection, runner.quarantine)
        if runner.refresher is not None:
            runner.refresher.prove(connection)
            runner.refresher.adopt(connection, presence.id, presence.living(connection), list)
        yield from _run(runner, connection, presence, drainer)
        prune(runner, connection)
    finally:
        if not connection.invalidated:
            write_at_end(runner, connection, presence.id)
            presence.leave(connection)


def _run(runner: Runner, connection: Connection, presence: Presence, drainer: Drainer) -> Iterator[Ran]:
    unavailable: set[str] = set()
    takes = partial(runner.takes, connection)
    while True:
        for lease in presence.adopt_orphans(connection, list, None, takes):
            yield [(claim.run, outcome) for claim, outcome in drainer.resume(connection, lease)]
        due = runner.due(connection)
        connection.commit()
        lanes = {lane: found for lane, found in due.lanes.items() if lane not in unavailable}
        if not lanes:
            return
        if lanes.pop(ONCE, None) and runner.upgrader is not None:
            upgraded = list(_reported(runner, runner.upgrader.upgrade(connection, presence.id, drainer.holding)))
            yield from upgraded
            if not upgraded:
                unavailable.add(ONCE)
        if lanes.pop(CACHES, None) and runner.refresher is not None:
            refreshed = runner.refresher.refresh(connection, presence.id, lambda claim, begun: None)
            yield from _reported(runner, refreshed)
        if lanes.pop(TIMERS, None) and runner.firer is not None and not list(runner.firer.fire(connection)):
            unavailable.add(TIMERS)
        ensure_lanes(connection, lanes)
        for lane, priorities in lanes.items():
            ran = False
            for batched in drainer.drain(connection, lane, priorities[0]):
                if isinstance(batched, Done) and batched.settled:
                    ran = True
                    yield [(claim.run, outcome) for claim, outcome in batched.settled]
            if not ran:
                unavailable.add(lane)


def _reported(runner: Runner, found: Iterator[Ran]) -> Iterator[Ran]:
    for ran in found:
        runner.report_runs(ran)
        yield ran

"""The administrative job of low frequency: deleting receipts whose DeleteTime has passed."""

from sqlalchemy import Connection

from afterwork.events import Pruned
from afterwork.jobs.runner import Runner
from afterwork.store import progress


def prune(runner: Runner, connection: Connection) -> int:
    """Delete receipts whose time has passed, some with each statement, which is a transaction too. Returns how many."""
    count = 0
    while deleted := runner.trigger.prune(connection, runner.clock.now()):
        connection.commit()
        count += deleted
    progress.prune(connection, runner.clock.now())
    connection.commit()
    if count:
        runner.events.emit(Pruned(count))
    return count

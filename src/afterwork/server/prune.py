"""The administrative job of low frequency: deleting receipts whose DeleteTime has passed."""

from sqlalchemy import Connection

from afterwork.events import Pruned
from afterwork.jobs.runner import Runner


def prune(runner: Runner, connection: Connection) -> int:
    """Delete receipts whose time has passed, in small transactions. Returns how many."""
    count = 0
    while True:
        with runner.database.transaction(connection):
            deleted = runner.trigger.prune(connection, runner.clock.now())
        count += deleted
        if not deleted:
            break
    if count:
        runner.events.emit(Pruned(count))
    return count

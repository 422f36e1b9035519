"""The administrative job of low frequency: deleting receipts whose DeleteTime has passed, and old history."""

from sqlalchemy import Connection

from afterwork.events import Pruned
from afterwork.jobs.runner import Runner
from afterwork.store import history, progress


def prune(runner: Runner, connection: Connection) -> int:
    """Delete receipts whose time has passed, some with each statement, which is a transaction too. Returns how many."""
    count = 0
    while deleted := runner.trigger.prune(connection, runner.clock.now()):
        connection.commit()
        count += deleted
    progress.prune(connection, runner.clock.now())
    connection.commit()
    while history.prune(connection, runner.clock.now() - runner.settings.history):
        connection.commit()
    connection.commit()
    if count:
        runner.events.emit(Pruned(count))
    return count

"""The heartbeat: it shows that a server lives, and keeps its leases for as long as it does."""

import threading
from collections.abc import Callable, Collection

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.events import Broken
from afterwork.jobs.runner import Runner
from afterwork.server.presence import Presence
from afterwork.store import leases

BEATS_PER_LEASE = 4


class Heartbeat:
    """A thread that renews the leases of current runs, and writes now and then that the server lives."""

    def __init__(self, runner: Runner, presence: Presence, own_runs: Callable[[], Collection[str]]) -> None:
        self._runner = runner
        self._presence = presence
        self._own_runs = own_runs
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="afterwork-heartbeat", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """End the thread, and wait for it at most this long."""
        self._stop.set()
        self._thread.join(seconds)

    def _beat(self) -> None:
        settings, database = self._runner.settings, self._runner.database
        interval = settings.lease / BEATS_PER_LEASE
        quiet = settings.safety_poll
        connection: Connection | None = None
        while not self._stop.wait(interval.total_seconds()):
            quiet += interval
            own_runs = self._own_runs()
            if not own_runs and quiet < settings.safety_poll:
                continue
            try:
                connection = connection or database.connect()
                if own_runs:
                    with database.transaction(connection):
                        leases.renew(database, connection, self._presence.id, own_runs)
                if quiet >= settings.safety_poll:
                    self._presence.show_life(connection)
                    quiet = interval * 0
            except BaseException as error:
                # The loop reports a lost database; here, the next beat tries again.
                if not database.is_its_own(error):
                    self._runner.events.emit(Broken("the heartbeat", failure_of(error)))
                database.discard(connection)
                connection = None
        database.discard(connection)

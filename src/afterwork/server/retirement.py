"""When a server leaves by itself: it was asked to, or has run so many jobs, or uses so much memory."""

import threading

from sqlalchemy import Connection

from afterwork.jobs.history import RunHistory
from afterwork.settings import Settings
from afterwork.store import server_abilities
from afterwork.store.process import memory


class Retirement:
    """Why and how a server leaves. `in_peace` says that it waits for its runs as long as they take; `to_begin_anew`,
    that its program is to be started again."""

    def __init__(self, settings: Settings, history: RunHistory) -> None:
        self._settings = settings
        self._history = history
        self.is_told = threading.Event()
        """Set when somebody who won't wait for ever has told it to stop."""
        self.why = ""
        self.in_peace = False
        self.may_begin_anew = False
        """Whether there is somebody who starts it again."""
        self.to_begin_anew = False

    def is_drained(self, connection: Connection, server: int) -> bool:
        """Return whether somebody has asked the server to end what it runs, and to leave."""
        if not self.in_peace and server_abilities.is_to_leave(connection, server):
            self.in_peace, self.why = True, "it was asked to leave"
        return self.in_peace

    def has_had_enough(self) -> bool:
        """Return whether the server has run so many jobs, or uses so much memory, that it is to begin anew."""
        jobs, most = self._settings.max_jobs, self._settings.max_memory
        if not self.may_begin_anew:
            return False
        if jobs is not None and self._history.ended >= jobs:
            self.why = f"it has run {self._history.ended:,} jobs"
        elif most is not None and (used := memory()) > most:
            self.why = f"it uses {used / 2**20:,.0f} MiB of memory"
        else:
            return False
        self.to_begin_anew = True
        return True

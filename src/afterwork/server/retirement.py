"""Retirement: a server leaves when asked to, after a set number of jobs, or above a set memory use."""

import threading

from afterwork.jobs.history import RunHistory
from afterwork.settings import Settings
from afterwork.store.process import memory


class Retirement:
    """The reason and manner of a server's leaving. If `in_peace`, it waits for its runs as long as they take; if
    `to_begin_anew`, its program is to be restarted."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._histories: list[RunHistory] = []
        self.is_told = threading.Event()
        """Set when it was told to stop by somebody who won't wait forever."""
        self.why = ""
        self.in_peace = False
        self.may_begin_anew = False
        """True if somebody will restart it."""
        self.to_begin_anew = False

    def count(self, history: RunHistory) -> None:
        """Count the runs of a history, too, from now on."""
        self._histories.append(history)

    @property
    def _ended(self) -> int:
        return sum(history.ended for history in self._histories)

    def ask(self) -> None:
        """Let the server finish its runs and leave."""
        if not self.in_peace:
            self.in_peace, self.why = True, "it was asked to leave"

    def has_had_enough(self) -> bool:
        """Return whether the server has run enough jobs, or uses enough memory, to be restarted."""
        jobs, most = self._settings.max_jobs, self._settings.max_memory
        if not self.may_begin_anew:
            return False
        if jobs is not None and self._ended >= jobs:
            self.why, self.in_peace = f"it has run {self._ended:,} jobs", True
        elif most is not None and self._ended and (used := memory()) > most:  # else it would never run a job
            self.why = f"it uses {used / 2**20:,.0f} MiB of memory"
        else:
            return False
        self.to_begin_anew = True
        return True

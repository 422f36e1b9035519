"""Commits with a time limit, since deferred triggers and constraints of the application run in them.

PostgreSQL's own time-outs don't reach these. The thread that commits waits for the answer itself, and cancels while
there is none; so the answer, whichever comes, says whether the transaction was committed.
"""

import select
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from psycopg import Error as PsycopgError
from psycopg import OperationalError
from psycopg.errors import QueryCanceled, error_from_result
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGresult

from afterwork.errors import CommitTimedOut

REPEAT_SECONDS = 0.25
"""The seconds after which a commit that goes on is cancelled again: code may have caught the cancellation."""

CANCEL_SECONDS = 2.0
"""The seconds within which PostgreSQL must take a cancellation."""


@dataclass(frozen=True)
class TimedCommit:
    """The commit of a driver's connection, which is cancelled after `limit`.

    It is left alone while `is_through` says that it is done but for others who are to confirm it. If it goes on for
    longer than `patience` after it was cancelled, the connection is given up."""

    driver: Any
    limit: timedelta
    patience: timedelta
    is_through: Callable[[], bool]

    def run(self) -> bool:
        """Commit, and return whether that was cancelled in vain. Raises `CommitTimedOut` if it was cancelled, or the
        driver's error."""
        with self.driver.lock:
            try:
                self.driver.pgconn.send_query(b"COMMIT")
                is_cancelled = self._cancelled()
                result = self._result()
            except BaseException:  # Ctrl-C, or the connection is gone
                self._drop_answer()
                raise
        if result is None or result.status != ExecStatus.FATAL_ERROR:
            return is_cancelled
        error = error_from_result(result, encoding=self.driver.info.encoding)
        if is_cancelled and isinstance(error, QueryCanceled):
            raise CommitTimedOut(self.limit) from error
        raise error

    def _cancelled(self) -> bool:
        """Wait for the answer. Return whether the commit was cancelled while there was none."""
        is_cancelled, last = False, time.monotonic() + (self.limit + self.patience).total_seconds()
        seconds = self.limit.total_seconds()
        while not self._is_answered_within(seconds):
            if self.is_through():
                seconds = max(REPEAT_SECONDS, self.limit.total_seconds())
                last = time.monotonic() + seconds + self.patience.total_seconds()
                continue
            if time.monotonic() >= last:
                self.driver.close()
                raise OperationalError(f"The commit went on for {self.patience} after it was cancelled.")
            with suppress(PsycopgError):  # the connection may be gone, which is seen when its answer is awaited
                self.driver.cancel_safe(timeout=CANCEL_SECONDS)
            is_cancelled, seconds = True, REPEAT_SECONDS
        return is_cancelled

    def _is_answered_within(self, seconds: float) -> bool:
        pgconn, until = self.driver.pgconn, time.monotonic() + seconds
        poller = select.poll()
        while (is_unsent := pgconn.flush() > 0) or pgconn.is_busy():
            left = until - time.monotonic()
            poller.register(pgconn.socket, select.POLLIN | (select.POLLOUT if is_unsent else 0))
            if left <= 0 or not poller.poll(left * 1000):
                return False
            pgconn.consume_input()
        return True

    def _result(self) -> PGresult | None:
        """Take the answer. There is one result; the driver takes another command only after the end of all."""
        first: PGresult | None = self.driver.pgconn.get_result()
        while self.driver.pgconn.get_result() is not None:
            pass
        return first

    def _drop_answer(self) -> None:
        """Make the connection ready for another command, if it still exists."""
        with suppress(PsycopgError):
            if not self.driver.closed:
                self.driver.cancel_safe(timeout=CANCEL_SECONDS)
                self._result()

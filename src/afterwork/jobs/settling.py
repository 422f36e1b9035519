"""Settling runs without fail: an outcome that the ticket's table refuses is written in part, and reported."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import Connection

from afterwork.errors import DatabaseTimedOut
from afterwork.events import WrittenInPart
from afterwork.jobs.attempts import Settled
from afterwork.jobs.run import Hindered, Outcome, Raised, Rejected, Succeeded, Superseded, Withdrawn, text_of
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Claim
from afterwork.store.tickets.end_forms import LESSER, EndForm


@dataclass(frozen=True)
class Settlement:
    """Settles one claim whose run is over, on a connection without an open transaction.

    `write` writes an outcome in one transaction, after running the view model's `on_exception` if it is given an
    exception. `free` frees what the run has taken, if nothing can be written. `if_contended` says what to do if a lock
    prevents writing the failure: run again, write the failure anyway, or raise, so that the caller repeats it."""

    runner: Runner
    connection: Connection
    claim: Claim
    write: Callable[[Outcome, Exception | None], Settled]
    if_contended: Literal["run again", "fail", "raise"] = "fail"
    free: Callable[[], None] = lambda: None

    def fail(self, raised: Raised, error: Exception) -> Settled:
        """Tell the view model of the exception that ended the run, and settle its ticket."""
        try:
            return self.write(raised, error)
        except Exception as second:
            if self.runner.database.has_lost(self.connection, second):
                raise
            if self.runner.database.is_contended(second):
                match self.if_contended:
                    case "run again":
                        return self.end(self.runner.hindered(self.claim, second))
                    case "raise":
                        raise
            if self.runner.tells(self.claim):
                return self.end(raised.with_second(second))
            return self._left(second) if isinstance(second, DatabaseTimedOut) else self.end(raised)

    def end(self, outcome: Outcome) -> Settled:
        """Write an outcome; if the database refuses that, less and less of it.

        If it refuses everything, or others are in the way, skip the ticket for a while, and free what its run has
        taken. Raises the error of a lost connection."""
        try:
            return self.write(outcome, None)
        except Exception as error:
            last = first = self._of_the_ticket(error)
        for form in LESSER:
            if self.runner.database.is_contended(last) or isinstance(last, DatabaseTimedOut):
                break  # it would only take as long again
            try:
                settled = self.write(in_form(outcome, form), None)
            except Exception as error:
                last = self._of_the_ticket(error)
            else:
                run = self.claim.run
                self.runner.events.emit(WrittenInPart(run.work, run.root_id, str(run.id), str(form), text_of(first)))
                return settled
        return self._left(last)

    def _left(self, why: Exception) -> Settled:
        """Skip the ticket for a while, and free what its run has taken."""
        settled = self.runner.leave(self.claim, why)
        self.free()
        return settled

    def _of_the_ticket(self, error: Exception) -> Exception:
        """Return an error that is about the ticket. Raise one that is about the connection."""
        if self.runner.database.has_lost(self.connection, error):
            raise error
        return error


def in_form(outcome: Outcome, form: EndForm) -> Outcome:
    """Return an end in a form that writes less. It has no other attempt, which could not be noted."""
    match outcome:
        case Raised():
            return replace(outcome, again_after=None, form=form)
        case Rejected():
            return replace(outcome, form=form)
        case Hindered(error=error):
            return Raised(error, form=form)
        case Succeeded() | Superseded() | Withdrawn():
            return outcome

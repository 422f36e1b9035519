"""Every run is settled: what its ticket's table refuses is written as well as can be, and said."""

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection

from afterwork.events import WrittenInPart
from afterwork.jobs.outcome import Hindered, Outcome, Raised, Rejected, Succeeded, Superseded, Withdrawn, text_of
from afterwork.jobs.runner import Runner, Settled
from afterwork.jobs.source import Claim
from afterwork.store.tickets.end_forms import LESSER, EndForm


def settled_somehow(
    runner: Runner,
    connection: Connection,
    claim: Claim,
    outcome: Outcome,
    settle: Callable[[Outcome], Settled],
    free: Callable[[], None] = lambda: None,
) -> Settled:
    """Settle a claim with an outcome, by a function that does so in a transaction; if the database refuses that, with
    less and less of it. If it refuses all, or others are in the way, the ticket is left for a while, and what its run
    held is freed. Raises the error of a connection that is lost."""
    try:
        return settle(outcome)
    except Exception as error:
        last = why = _of_the_ticket(runner, connection, error)
    for form in LESSER:
        if runner.database.is_contended(last):
            break
        try:
            settled = settle(in_form(outcome, form))
        except Exception as error:
            last = _of_the_ticket(runner, connection, error)
        else:
            run = claim.run
            runner.events.emit(WrittenInPart(run.work, run.root_id, str(run.id), str(form), text_of(why)))
            return settled
    left = runner.leave(claim, last)
    free()
    return left


def in_form(outcome: Outcome, form: EndForm) -> Outcome:
    """An end, of which less is written. There is no other attempt: it could not be noted."""
    match outcome:
        case Raised():
            return replace(outcome, again_after=None, form=form)
        case Rejected():
            return replace(outcome, form=form)
        case Hindered(text=text):
            return Raised(text, form=form)
        case Succeeded() | Superseded() | Withdrawn():
            return outcome


def _of_the_ticket(runner: Runner, connection: Connection, error: Exception) -> Exception:
    """Return an error that tells of the ticket. Raises it, if it tells of the connection."""
    if runner.database.has_lost(connection, error):
        raise error
    return error

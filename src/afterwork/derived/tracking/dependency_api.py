"""The public functions by which the code of a cache declares its own reads: `aw.passed` and `aw.depends_on`."""

from datetime import datetime

from afterwork import clock
from afterwork.derived.tracking.hidden_state import ACTIVE
from afterwork.model.utc_datetime import aware


def passed(moment: datetime) -> bool:
    """Return whether a timestamp has passed. A cache that was told "not yet" runs again when it has, without polling.

    In a cache, the clock stands still while it runs; elsewhere it is the clock of this machine.
    Raises `NaiveDatetime` for a timestamp without a time zone, also for one that comes from a column without: if that
    means UTC, say so by `.replace(tzinfo=UTC)`.
    """
    return clock.passed(aware(moment), clock.SystemClock())


def depends_on(*things: object) -> None:
    """Run the cache again when any of these has changed, whether it is read or not. Elsewhere, this does nothing.

    A mapped class or a `Table`: all rows, with all columns. A member of a class, as `Order.amount`: which objects
    exist, and this member of each; for a relationship, which objects it links. An object: all columns of its row.
    Raises `NotWatched` for what changes unnoticed, and `BadRequest` for anything else.
    """
    listener = ACTIVE.get()
    if listener is not None:
        for thing in things:
            listener.depends_on(thing)

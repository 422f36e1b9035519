"""Blame: clearing away the row of a dead server blames its current runs for its end, once.

A run leaves a trace before it begins: its lease, or the claim of a single derived value. The one that began last is the
likeliest reason, since servers begin nothing beside it after a crash.
"""

from sqlalchemy import Connection, func, select

from afterwork.derived.tables import due as dues
from afterwork.store import suspects
from afterwork.store.database import Database
from afterwork.store.suspects import key_of
from afterwork.store.tables import lease as leases


def blame_for(database: Database, connection: Connection, server: int) -> None:
    """Blame everything that a server was running when it died, in the transaction that clears its row away."""
    begun, is_batch = _claims(connection, server)
    by_lease = select(leases.c.ticket).where(leases.c.server == server).order_by(leases.c.taken.desc())
    traces = begun + list(connection.execute(by_lease).scalars())
    for age, key in enumerate(traces):
        suspects.blame(database, connection, key, "process", near=age > 0 or is_batch)
    suspects.start_quarantine(database, connection)


def _claims(connection: Connection, server: int) -> tuple[list[str], bool]:
    """Return the derived values that a server computed one at a time, and whether it computed several at once."""
    c = dues.c
    mine = c.server == server, c.claim.is_not(None), ~c.stored
    claims = select(func.count().label("caches"), func.min(c.cache).label("first")).where(*mine).group_by(c.claim)
    rows = connection.execute(claims).all()
    return [key_of(row.first) for row in rows if row.caches == 1], any(row.caches > 1 for row in rows)

"""Blame: the runs that may be why their server died.

To clear away a dead server's row blames its current runs for its end, once. A run leaves a trace before it begins: its
lease, or the claim of a single derived value. The one that began last is the likeliest reason, since servers begin
nothing beside it after a crash.
"""

from sqlalchemy import ColumnElement, Connection, func, select

from afterwork.store import suspects
from afterwork.store.caches.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.suspects import Death, key_of
from afterwork.store.tables import lease as lease_table


def blame_server(database: Database, connection: Connection, server: int) -> None:
    """Blame everything that a server was running when it died, in the transaction that clears its row away."""
    begun, is_batch = claimed_caches(connection, dues.c.server == server)
    by_lease = select(lease_table.c.ticket).where(lease_table.c.server == server).order_by(lease_table.c.taken.desc())
    traces = begun + list(connection.execute(by_lease).scalars())
    for age, key in enumerate(traces):
        suspects.blame(database, connection, key, Death("process", near=age > 0 or is_batch))
    suspects.start_quarantine(database, connection)


def claimed_caches(connection: Connection, which: ColumnElement[bool]) -> tuple[list[str], bool]:
    """Return the derived values whose claim is theirs alone, and whether another claim has several at once."""
    c = dues.c
    unfinished = which, c.claim.is_not(None), ~c.stored
    claims = select(func.count().label("caches"), func.min(c.cache).label("first")).where(*unfinished).group_by(c.claim)
    rows = connection.execute(claims).all()
    return [key_of(row.first) for row in rows if row.caches == 1], any(row.caches > 1 for row in rows)

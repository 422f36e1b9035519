"""Burying a server that is gone: what it was trying is blamed for its end, once.

What a run leaves before it begins says what was being tried: its lease, or the claim of a single cache. The one that
has begun last is the likeliest to be the reason: after a crash, servers begin nothing beside it.
"""

from sqlalchemy import Connection, func, select

from afterwork.derived.tables import due as dues
from afterwork.store import suspects
from afterwork.store.database import Database
from afterwork.store.suspects import key_of
from afterwork.store.tables import lease as leases


def blame_for(database: Database, connection: Connection, server: int) -> None:
    """Count, of all that a server was trying, that it has died, in the transaction that clears its row away."""
    begun, is_batch = _claims(connection, server)
    by_lease = select(leases.c.ticket).where(leases.c.server == server).order_by(leases.c.taken.desc())
    traces = begun + list(connection.execute(by_lease).scalars())
    for place, key in enumerate(traces):
        suspects.blame(database, connection, key, "process", near=place > 0 or is_batch)
    suspects.be_careful(database, connection)


def _claims(connection: Connection, server: int) -> tuple[list[str], bool]:
    """The cache that a server was at, if it was a single one; and whether it was at several."""
    c = dues.c
    mine = c.server == server, c.claim.is_not(None), ~c.stored
    claims = select(func.count().label("caches"), func.min(c.cache).label("first")).where(*mine).group_by(c.claim)
    rows = connection.execute(claims).all()
    return [key_of(row.first) for row in rows if row.caches == 1], any(row.caches > 1 for row in rows)

"""What can be read of servers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from afterwork.store import tables
from afterwork.store.database import Database, ServerRow


def living(database: Database, connection: Connection, now: datetime) -> Sequence[str]:
    """The servers that are there, in words."""
    c = tables.server.c
    rows = connection.execute(select(c.id, c.host, c.process, c.process_started, c.seen, c.locked).order_by(c.id))
    return [
        f"{row.id} (process {row.process} on {row.host})"
        for row in (ServerRow(*found) for found in rows)
        if database.is_alive(connection, row, now)
    ]

"""Sessions of the page's visitors, as all servers of a database share them: the key of their cookies, and which of them
have ended before their time."""

import secrets
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from afterwork.store.tables import ended_session, installation
from afterwork.store.upsert import insert_into

KEY = "page_key"
"""The name of the fact that has the key."""


def make_key(connection: Connection) -> None:
    """Make the key, unless there is one."""
    if key(connection) is None:
        connection.execute(insert(installation).values(name=KEY, value=secrets.token_hex(32)))


def key(connection: Connection) -> str | None:
    """Return the key by which cookies and forms are signed; None in an installation of an earlier version."""
    return connection.execute(select(installation.c.value).where(installation.c.name == KEY)).scalar()


def end(connection: Connection, session: str, until: datetime, now: datetime) -> None:
    """Note that a session has ended, until the time at which its cookie would expire. Forget those for which it has."""
    connection.execute(delete(ended_session).where(ended_session.c.until <= now))
    row = insert_into(connection.dialect.name, ended_session).values(id=session, until=until)
    connection.execute(row.on_conflict_do_nothing())


def has_ended(connection: Connection, session: str) -> bool:
    row = connection.execute(select(ended_session.c.id).where(ended_session.c.id == session)).first()
    return row is not None

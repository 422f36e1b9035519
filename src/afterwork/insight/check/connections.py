"""Checks that servers get enough connections, and that those keep their session."""

from collections.abc import Iterator

from sqlalchemy import Connection, text

from afterwork.insight.check.finding import CheckContext, Finding

CONNECTIONS_BESIDE_WORKERS = 3
"""Connections of a server besides two per worker: for its search for work, its signs of life, and its history."""

_FREE = text(
    "SELECT CAST(current_setting('max_connections') AS int)"
    " - CAST(current_setting('superuser_reserved_connections') AS int)"
    " - (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
)
_WHO = text("SELECT pg_backend_pid()")

A_SESSION = (
    "A pooler hands each transaction to another connection, so no server can LISTEN. Give servers a URL that leads to "
    "PostgreSQL itself, or set Settings(listen=False): then they poll. See docs/howto/pooler.md."
)


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the number of free connections, and whether a pooler is between."""
    if scene.database.dialect == "postgresql":
        yield _left(scene)
        yield _kind(scene)


def _left(scene: CheckContext) -> Finding:
    free = int(scene.connection.execute(_FREE).scalar_one())
    needed = 2 * scene.database.settings.workers + CONNECTIONS_BESIDE_WORKERS
    advice = (
        f"A server of {scene.database.settings.workers} workers may take {needed}, and one more of them must be able "
        "to start beside those that run. Raise max_connections, or configure fewer workers."
    )
    return Finding(f"{free:,} connections are free", free >= needed, advice, is_note=True)


def _kind(scene: CheckContext) -> Finding:
    listens = scene.database.settings.listen
    match _keeps_session(scene), listens:
        case True, True:
            return Finding("connections keep their session, so servers can be woken", True)
        case True, False:
            advice = "Servers poll each second. If none is behind a pooler, leave listen as it is by default."
            return Finding("connections keep their session, but Settings.listen is off", False, advice, is_note=True)
        case _:
            return Finding("connections do not keep their session: a pooler is between", listens is False, A_SESSION)


def _keeps_session(scene: CheckContext) -> bool:
    """Return whether each client has a PostgreSQL session of its own.

    A pooler that keeps none for a client outside of a transaction gives the second client the session that the first
    has just used.
    """
    scene.connection.commit()
    before = _process(scene.connection)
    with scene.database.engine.connect() as other:
        is_shared = _process(other) == before
    return not is_shared and _process(scene.connection) == before


def _process(connection: Connection) -> int:
    pid = connection.execute(_WHO).scalar_one()
    connection.commit()
    return int(pid)

"""Checks of a PostgreSQL server: rights, settings, connections, long transactions of others, and vacuum."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store import tables
from afterwork.store.postgresql import rights
from afterwork.store.postgresql.rights import Need
from afterwork.store.postgresql.row_security import Hiding, hidings


@dataclass(frozen=True)
class WantedSetting:
    """A setting, its right values, and the consequence of any other."""

    name: str
    right: tuple[str, ...]
    advice: str


WANTED = (
    WantedSetting("fsync", ("on",), "A crash of the machine may corrupt the database. Set it to on."),
    WantedSetting("full_page_writes", ("on",), "A crash of the machine may corrupt the database. Set it to on."),
    WantedSetting(
        "synchronous_commit",
        ("on", "local", "remote_write", "remote_apply"),
        "A crash may lose the last commits, tickets included. Set it to on.",
    ),
    WantedSetting(
        "default_transaction_isolation",
        ("read committed",),
        "Servers and their jobs have read committed for themselves, except behind a pooler in transaction mode. "
        "There, runs are refused and repeated more often: ALTER ROLE … SET default_transaction_isolation = "
        "'read committed'.",
    ),
    WantedSetting(
        "session_replication_role",
        ("origin", "local"),
        "Tickets of such sessions wake no server, and their foreign keys are not checked. Remove it from the role.",
    ),
)

TIMEOUT = "idle_in_transaction_session_timeout"
WITHOUT_TIMEOUT = (
    "Behind a pooler a server can't set it for its own connections, and the transaction of a stopped process keeps its "
    f"lane for ever. Set it: ALTER ROLE … SET {TIMEOUT} = '60s'."
)

NAMES = (*(setting.name for setting in WANTED), TIMEOUT)
_SETTINGS = text("SELECT name, setting FROM pg_settings WHERE name = ANY (CAST(:names AS text[]))")


def look_at_settings(scene: CheckContext) -> Iterator[Finding]:
    """Yield the settings, as a new connection has them."""
    values = {row.name: row.setting for row in scene.connection.execute(_SETTINGS, {"names": list(NAMES)})}
    for wanted in WANTED:
        value = values[wanted.name]
        yield Finding(f"{wanted.name} is {value}", value in wanted.right, wanted.advice, is_note=True)
    # Without sessions of their own, servers can't set it for themselves.
    if not scene.database.settings.listen and values[TIMEOUT] == "0":
        yield Finding(f"{TIMEOUT} is off, and so is Settings.listen", False, WITHOUT_TIMEOUT, is_note=True)


FOR_JOBS = "A job that writes there will fail. If one does: {}"
SEE_ALL = "Hidden rows count as missing: values become wrong, and tickets stay. Let it see all rows: {}"
CHANGE_ALL = "What it can't change stays as it is. Let it change all rows: {}"
WRITES_FAIL = "All who write to the application's tables fail."
NOT_AT_COMMIT = "So servers compute what should be computed at commit, a little later."
LET_ALL = (
    "ALTER ROLE {role} BYPASSRLS; or: CREATE POLICY afterwork ON {table} TO {role} USING (true) WITH CHECK (true)."
)


def look_at_rights(scene: CheckContext) -> Iterator[Finding]:
    """Yield what the role lacks, with the statement that gives it."""
    missing = rights.missing(scene.connection, None, rights.of_servers(scene.model))
    for lack in missing:
        advice = f"Run: {lack.grant}. All at once: afterwork install MODULE:APP --database URL --grant-to {lack.role}"
        advice = FOR_JOBS.format(lack.grant) if lack.for_jobs else advice
        yield Finding(f"role {lack.role} lacks {lack.what}", False, advice, is_note=lack.for_jobs)
    for hiding in hidings(scene.connection, rights.of_servers(scene.model)):
        advice = SEE_ALL if hiding.is_to_read else CHANGE_ALL
        yield Finding(hiding.what, False, _let_all(hiding, advice), is_note=hiding.for_jobs)
    if not any(not lack.for_jobs for lack in missing):
        yield Finding("the current role has all rights of a server", True)
    for owner in rights.owners_of_triggers(scene.connection):
        yield from _of_triggers(scene.connection, owner, list(rights.of_triggers()), WRITES_FAIL)
        yield from _of_triggers(scene.connection, owner, list(rights.of_values_at_commit(scene.model)), NOT_AT_COMMIT)


def _of_triggers(connection: Connection, owner: str, needs: Sequence[Need], then: str) -> Iterator[Finding]:
    """Yield what the role lacks that triggers run as."""
    for lack in rights.missing(connection, owner, needs):
        yield Finding(f"triggers run as role {lack.role}, which lacks {lack.what}", False, f"{then} Run: {lack.grant}")
    for hiding in hidings(connection, needs, owner):
        yield Finding(
            f"{hiding.what}, as which triggers run", False, _let_all(hiding, then + " Let it see all rows: {}")
        )


def _let_all(hiding: Hiding, advice: str) -> str:
    return advice.format(LET_ALL.format(role=hiding.role, table=hiding.table))


def may_look(scene: CheckContext) -> bool:
    """Return whether the role may read all that is looked at from here on."""
    lacks = rights.missing(scene.connection, None, rights.of_servers(scene.model))
    return not any(lack.is_to_read for lack in lacks)


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


def look_at_connections(scene: CheckContext) -> Iterator[Finding]:
    """Yield the number of free connections, and whether a pooler is between."""
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


ADVICE = (
    "While it lasts, it blocks vacuum of all tables, it keeps its locks, and its changes "
    "reach no cache. See what it waits for; to end it: SELECT pg_terminate_backend({pid}). Against forgotten ones: "
    "idle_in_transaction_session_timeout."
)

_LONG = text(
    "SELECT pid, usename, application_name, state, clock_timestamp() - xact_start AS age"
    " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND clock_timestamp() - xact_start > :longer ORDER BY xact_start"
)
_HIDDEN = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = '<insufficient privilege>'"
)
_PREPARED = text(
    "SELECT gid, owner, clock_timestamp() - prepared AS age FROM pg_prepared_xacts"
    " WHERE database = current_database() AND clock_timestamp() - prepared > :longer ORDER BY prepared"
)


def look_at_transactions(scene: CheckContext) -> Iterator[Finding]:
    """Yield the long transactions of this database."""
    long = [*_open(scene), *_prepared(scene)]
    yield from long
    if not long:
        minutes = scene.limits.long_transaction.total_seconds() / 60
        yield Finding(f"no transaction is older than {minutes:,.0f} minutes", True)
    yield from _hidden(scene)


def _open(scene: CheckContext) -> Iterator[Finding]:
    for row in scene.connection.execute(_LONG, {"longer": scene.limits.long_transaction}):
        who = f"{row.usename}, {row.application_name or 'no application_name'}, {row.state}"
        what = f"a transaction is {row.age.total_seconds() / 60:,.0f} minutes old: pid {row.pid} ({who})"
        yield Finding(what, False, ADVICE.format(pid=row.pid), is_note=True)


def _prepared(scene: CheckContext) -> Iterator[Finding]:
    for row in scene.connection.execute(_PREPARED, {"longer": scene.limits.long_transaction}):
        what = f"a prepared transaction is {row.age.total_seconds() / 60:,.0f} minutes old: {row.gid!r} of {row.owner}"
        advice = "It keeps its locks until COMMIT PREPARED or ROLLBACK PREPARED. End it by one of these."
        yield Finding(what, False, advice, is_note=True)


def _hidden(scene: CheckContext) -> Iterator[Finding]:
    count = scene.connection.execute(_HIDDEN).scalar_one()
    if count:
        advice = "Let this role see them: GRANT pg_read_all_stats TO it."
        yield Finding(
            f"the transactions of {count:,} connections of other roles can't be seen", False, advice, is_note=True
        )


_OURS = text(
    "SELECT s.relname AS name, n_live_tup AS living, n_dead_tup AS dead,"
    " greatest(last_vacuum, last_autovacuum) AS last, 'autovacuum_enabled=off' = ANY (reloptions)"
    " OR 'autovacuum_enabled=false' = ANY (reloptions) AS off"
    " FROM pg_stat_user_tables AS s JOIN pg_class AS c ON c.oid = s.relid"
    " WHERE s.relid = ANY (ARRAY(SELECT to_regclass(name) FROM unnest(CAST(:names AS text[])) AS name)) ORDER BY name"
)
_IS_ON = text("SELECT current_setting('autovacuum') = 'on' AND current_setting('track_counts') = 'on'")

FORGOTTEN = "Enable its autovacuum: ALTER TABLE {name} RESET (autovacuum_enabled)."
DEAD = (
    "Each query of the table reads them, too. See whether a long transaction keeps them (above), then: VACUUM {name}. "
    "If they come back, vacuum it more often: ALTER TABLE {name} SET (autovacuum_vacuum_scale_factor = 0.05)."
)


def look_at_vacuum(scene: CheckContext) -> Iterator[Finding]:
    """Yield findings on autovacuum, and on the tables of Afterwork and of tickets."""
    is_on = bool(scene.connection.execute(_IS_ON).scalar_one())
    advice = "Without it, tables of jobs grow and become slow. Set autovacuum and track_counts to on."
    yield Finding(f"autovacuum is {'on' if is_on else 'off'}", is_on, advice, is_note=True)
    yield from _of_tables(scene)


def _of_tables(scene: CheckContext) -> Iterator[Finding]:
    quote = scene.connection.dialect.identifier_preparer.format_table
    names = [quote(table) for table in (*tables.metadata.sorted_tables, scene.model.contract.table)]
    rows = scene.connection.execute(_OURS, {"names": names}).all()
    bad = 0
    for row in rows:
        is_full = row.dead > max(scene.limits.dead_rows, row.living / 2)
        if is_full:
            when = "never vacuumed" if row.last is None else f"last vacuumed {row.last:%Y-%m-%d %H:%M} UTC"
            what = f"{row.name} has {row.dead:,} dead rows beside {row.living:,} living ones, {when}"
            yield Finding(what, False, DEAD.format(name=row.name), is_note=True)
        if row.off:
            yield Finding(f"{row.name} is left out of autovacuum", False, FORGOTTEN.format(name=row.name), True)
        bad += is_full or bool(row.off)
    if not bad:
        yield Finding(f"dead rows in {len(rows)} tables", True)

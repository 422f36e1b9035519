"""Checks for long transactions of others, and what they hold back."""

from collections.abc import Iterator

from sqlalchemy import text

from afterwork.insight.check.finding import CheckContext, Finding

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


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the long transactions of this database. SQLite shows none, but its log grows (`sqlite.py`)."""
    if scene.database.dialect == "postgresql":
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

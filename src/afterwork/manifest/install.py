"""What caches need in the database: capture on the watched tables, and the function that finds readers."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, Table, delete, text, update

from afterwork.journal import capture
from afterwork.journal.entries import seen_by_now
from afterwork.journal.tables import journal, recent
from afterwork.manifest.definitions import after_all_runs
from afterwork.manifest.due import UNCLAIMED
from afterwork.manifest.keep import READERS
from afterwork.manifest.tables import cache as caches
from afterwork.manifest.tables import definition as definitions
from afterwork.manifest.tables import due as dues
from afterwork.store.database import Database

_READERS_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc('afterwork_readers')")


def install(database: Database, connection: Connection, tables: Sequence[Table], now: datetime) -> list[str]:
    """Make or update what is missing, within the transaction that is open. Returns what it did, a line each. Where
    changes may have been missed, all caches are to run again."""
    done = capture.install(database, connection, tables)
    lines = list(done.lines)
    if database.dialect == "postgresql" and not _has_readers(connection):
        connection.exec_driver_sql(READERS)
        lines.append("function afterwork_readers created")
    if done.gaps:
        lines.append(f"changes of {', '.join(done.gaps)} may have been missed")
        lines += all_again(database, connection, now)
    return lines


def all_again(database: Database, connection: Connection, now: datetime) -> list[str]:
    """Let all caches run again. What they have seen is forgotten: after a restore, it means nothing any more."""
    began = after_all_runs(connection, now)
    connection.execute(update(definitions).values(filled=False, next_root=None, done=0, began=began))
    for table in (journal, recent):
        connection.execute(delete(table))
    connection.execute(update(caches).values(snapshot=seen_by_now(database.dialect), own=None))
    connection.execute(update(dues).values(UNCLAIMED))
    database.wake_all(connection)
    return ["all caches are to run again"]


def _has_readers(connection: Connection) -> bool:
    source = connection.execute(_READERS_SOURCE).scalar()
    return source is not None and source.strip() in READERS

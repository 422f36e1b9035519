"""Install what derivations need: the capture of the tables they read, and the function that finds readers."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, select, text, update

from afterwork.derived.capture import install as capture
from afterwork.derived.cause import Cause, cause_text, missed_changes
from afterwork.derived.manifest.postgresql_manifests import READERS
from afterwork.derived.queue.due_queue import UNCLAIMED
from afterwork.derived.queue.registry import after_all_runs, made_of
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.dialects import entries_of
from afterwork.store.journal.continuity import Interruption
from afterwork.store.journal.tables import journal, recent

_READERS_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc('afterwork_readers')")

REPAIR = Cause("hand", who="repair")


def to_install(database: Database) -> Sequence[str]:
    """Return the statements that begin a transaction which is the only one that installs."""
    return (
        ("LOCK TABLE afterwork_tracked_table IN SHARE ROW EXCLUSIVE MODE",) if database.dialect == "postgresql" else ()
    )


def to_repair(database: Database) -> Sequence[str]:
    """Return the same for a transaction that is also the only one to take changes, claim caches or end calculations."""
    return (*to_install(database), *entries_of(database.dialect).to_change_code)


def to_look(database: Database) -> Sequence[str]:
    """Return the same for a caller that must not wait long: it waits at most a second for a lock."""
    return ("SET LOCAL lock_timeout = '1s'", *to_repair(database)) if database.dialect == "postgresql" else ()


def install(
    database: Database, connection: Connection, application: str, tables: Sequence[Table], now: datetime
) -> list[str]:
    """Install or update what an application needs, in the open transaction. Return a line for each step.

    Where changes may have been missed, the caches that read these tables run again.
    """
    done = capture.install(connection, application, tables)
    lines = list(done.lines)
    if database.dialect == "postgresql" and not _has_readers(connection):
        connection.exec_driver_sql(READERS)
        lines.append("function afterwork_readers created")
    for statement in entries_of(database.dialect).to_change_code if done.gaps else ():
        connection.exec_driver_sql(statement)
    return lines + list(make_good(database, connection, done.gaps, now))


def make_good(database: Database, connection: Connection, gaps: Sequence[Interruption], now: datetime) -> Iterator[str]:
    """Let caches run again whose derivations ever read a table with possibly missed changes. Yield a line per step.

    The transaction must have begun with `Entries.to_change_code`.
    """
    everywhere = [gap for gap in gaps if gap.everywhere]
    if everywhere:
        yield from all_again(database, connection, now, missed_changes(everywhere, now))
        return
    of_each: dict[int, list[Interruption]] = defaultdict(list)
    for gap in gaps:
        readers = made_of(connection, gap.table_id)
        for number in readers:
            of_each[number].append(gap)
        names = again(database, connection, readers, now)
        if names:
            yield f"changes of {gap.table} may have been missed ({gap.why}): to run again are {', '.join(names)}"
    for number, gaps_of_reader in of_each.items():
        _note(connection, missed_changes(gaps_of_reader, now), derivations.c.id == number)


def _note(connection: Connection, cause: Cause, *which: ColumnElement[bool]) -> None:
    """Note the cause for which caches of derivations run again on all objects."""
    connection.execute(update(derivations).where(*which).values(gap=cause_text(cause)))


def again(database: Database, connection: Connection, numbers: Iterable[int], now: datetime) -> Sequence[str]:
    """Let the caches of some derivations run again, on all present objects. Return the derivations' names."""
    ids = list(numbers)
    began = after_all_runs(connection, now, caches.c.derivation.in_(ids))
    values = {"backfilled": False, "backfill_position": None, "backfill_done": 0, "backfill_began": began}
    changed = update(derivations).where(derivations.c.id.in_(ids)).values(values).returning(derivations.c.name)
    names = connection.execute(changed).scalars().all()
    claimed = dues.c.derivation.in_(ids), dues.c.claim.is_not(None)
    connection.execute(update(dues).where(*claimed).values(UNCLAIMED))
    database.wake_all(connection)
    return sorted(names)


def all_again(database: Database, connection: Connection, now: datetime, cause: Cause = REPAIR) -> list[str]:
    """Let all caches run again. Forget which changes they have seen, which is meaningless after a restore."""
    again(database, connection, connection.execute(select(derivations.c.id)).scalars(), now)
    _note(connection, cause)
    for table in (journal, recent):
        connection.execute(delete(table))
    connection.execute(update(caches).values(snapshot=entries_of(database.dialect).seen_by_now, own=None, wrote=None))
    return ["all caches are to run again"]


def _has_readers(connection: Connection) -> bool:
    source = connection.execute(_READERS_SOURCE).scalar()
    return source is not None and source.strip() in READERS

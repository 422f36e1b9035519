"""The needs of derivations: the capture of the tables that they read, proven while servers run."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Connection, delete, select, update
from sqlalchemy.exc import DBAPIError

from afterwork.clock import Clock
from afterwork.derived.capture import install as capture
from afterwork.derived.cause import Cause, cause_text, missed_changes
from afterwork.derived.inversion.plans import capture_needs, refresh_plans
from afterwork.derived.queue.due_queue import UNCLAIMED
from afterwork.derived.queue.registry import after_all_runs, made_of
from afterwork.errors import NotAtCommit, RestoredBeneath
from afterwork.events import Events, Missed
from afterwork.model.derivation import MemberDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import due as dues
from afterwork.store.database import Database
from afterwork.store.dialects import capture_on, commit_triggers_on, entries_of, manifest_store_of
from afterwork.store.journal.capture import Glance, capturable, load
from afterwork.store.journal.continuity import Interruption
from afterwork.store.journal.entries import Entries
from afterwork.store.journal.last_change import forget_last_changes
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.journal.route_spec import forget_touches
from afterwork.store.journal.tables import journal, recent

REPAIR = Cause("hand", who="repair")


def to_repair(entries: Entries) -> Sequence[str]:
    """Return the statements that begin a transaction which alone installs, takes changes, claims or ends."""
    return (*entries.to_install, *entries.to_change_code)


def install(database: Database, connection: Connection, application: str, model: ModelInfo, now: datetime) -> list[str]:
    """Install or update what an application needs, in the open transaction. Return a line for each step.

    Where changes may have been missed, the caches that read these tables run again.
    """
    derivations = model.derivations.values()
    tables = model.tables if derivations else []
    done = capture.install(connection, application, tables, partial(capture_needs, connection, derivations))
    lines = [*done.lines, *manifest_store_of(database.dialect).prepare(connection)]
    lines += _at_commit(connection, model)
    _forget_last_changes(connection, model)
    for statement in entries_of(database.dialect).to_change_code if done.gaps else ():
        connection.exec_driver_sql(statement)
    return lines + list(make_good(database, connection, done.gaps, now))


def _at_commit(connection: Connection, model: ModelInfo) -> Iterator[str]:
    """Install the triggers of derived members that are computed at commit. Raises `NotAtCommit`."""
    plans = plans_at_commit(connection, model)
    for name, plan in plans.items():
        if isinstance(plan, str) and _has_all_of(connection, model):
            raise NotAtCommit(name, plan)
    wanted = [plan for plan in plans.values() if isinstance(plan, RefreshPlan)]
    yield from commit_triggers_on(connection).install(wanted)


def _has_all_of(connection: Connection, model: ModelInfo) -> bool:
    """Return whether a database has all tables and columns of a model: it may wait for migrations."""
    capture = capture_on(connection)
    return all(
        {column.name for column in table.columns} <= set(capture.columns(table) or ())
        for table in capturable(model.tables)
    )


def _forget_last_changes(connection: Connection, model: ModelInfo) -> None:
    """Forget the last changes of derivations that no longer keep them: they would be taken for later ones."""
    plans = refresh_plans(connection, model.derivations.values(), load(connection, model.tables)).values()
    known = [plan for plan in plans if isinstance(plan, RefreshPlan)]
    forget_last_changes(connection, [plan.own for plan in known if not plan.keeps_last_change])


def plans_at_commit(connection: Connection, model: ModelInfo) -> Mapping[str, RefreshPlan | str]:
    """Return the plans of the derived members that are computed at commit, by name, or why they can't be."""
    plans = refresh_plans(connection, model.derivations.values(), load(connection, model.tables))
    members = {d.name for d in model.derivations.values() if isinstance(d, MemberDerivation) and d.derived.is_at_commit}
    return dict.fromkeys(members - plans.keys(), "it has no expression") | {
        name: plan for name, plan in plans.items() if name in members
    }


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
    forget_touches(connection, names)  # those of before may be in another form, and all objects will be touched
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


def run_all_again(database: Database, now: datetime, cause: Cause = REPAIR) -> list[str]:
    """Let all caches run again, by a transaction of its own."""
    to_begin = to_repair(entries_of(database.dialect))
    with closing(database.connect()) as connection, database.transaction(connection, to_begin):
        return all_again(database, connection, now, cause)


@dataclass
class ContinuityProof:
    """Sees, of all captured tables of a database, whether changes may have been missed.

    `is_current` tells whether the numbers that the server knows still mean the same in the database.
    """

    database: Database
    clock: Clock
    events: Events
    is_current: Callable[[Connection], bool] = lambda connection: True
    last_glance: Glance | None = None

    def prove(self, connection: Connection) -> bool:
        """Look by one statement. Where changes may have been missed, let run again what was made of the tables, and say
        so. False if others are in the way, such as an installation.

        Raises `RestoredBeneath` if the database was restored to a state that this server doesn't know.
        """
        glance = capture_on(connection).glance()
        connection.commit()
        was_restored = self.last_glance is not None and self.last_glance.last_restore != glance.last_restore
        try:
            if glance.has_changed or was_restored:
                self._look(connection)
        except DBAPIError as error:
            if not self.database.is_contended(error):
                raise
            return False
        self.last_glance = glance
        return True

    def _look(self, connection: Connection) -> None:
        entries = entries_of(self.database.dialect)
        with self.database.transaction(connection, (*entries.to_be_brief, *to_repair(entries))):
            gaps = capture.look(connection)
            commit_triggers_on(connection).adopt()
            list(make_good(self.database, connection, gaps, self.clock.now()))
            is_current = self.is_current(connection)
            if not is_current or any(gap.everywhere for gap in gaps):
                capture_on(connection).note_restore()
        for gap in gaps:
            self.events.emit(Missed(gap.table, gap.why, gap.faults))
        if not is_current:
            raise RestoredBeneath

"""The derivations of a model in a database: their numbers, their code, and what their runs have ever read."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy.exc import IntegrityError

from afterwork.derived.inversion.plans import refresh_plans
from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.queue.derivation_order import DerivationOrder
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.class_extent import ClassExtent
from afterwork.errors import BadRequest, RestoredBeneath
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.caches.tables import read_pattern as read_patterns
from afterwork.store.caches.tables import use as uses
from afterwork.store.journal.capture import CapturedTable, captured_tables
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.journal.route_spec import routes_by_table
from afterwork.store.journal.tables import route as routes
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables


class DerivationRegistry:
    """All derivations of a model. Their `order` is learned from what their runs read.

    Calls `on_left` with the name of each that this server runs no more.
    """

    def __init__(
        self,
        connection: Connection,
        declared: Sequence[Derivation],
        tables: TrackedTables,
        patterns: ReadPatterns,
        on_left: Callable[[str], None],
    ) -> None:
        self._patterns = patterns
        self._on_left = on_left
        self._order: DerivationOrder | None = None
        self._uses: dict[int, set[int]] = defaultdict(set)
        self._written: dict[int, Mapping[int, int]] = defaultdict(dict)
        """The columns of tracked tables that view models have written while this server lives."""
        self.derivations_version = 0
        """A number that changes as soon as the database knows other derivations, or other code."""
        self.others = False
        """True if the database knows derivations that this model doesn't have."""
        self.mine: Mapping[int, RegisteredDerivation] = {}
        """The derivations that this server runs. Others have their values from the code of a server that was started
        later."""
        self.by_id = _registered(connection, declared, tables)
        self.load(connection)

    def __iter__(self) -> Iterator[RegisteredDerivation]:
        return iter(self.by_id.values())

    def of(self, declaration: Derivation) -> RegisteredDerivation:
        """Return a derivation of the model. Raises `BadRequest` if its table isn't captured."""
        for registered in self:
            if registered.declaration is declaration:
                return registered
        raise BadRequest(f"The table of {declaration.name} is not captured yet. Install again: app.install(engine)")

    def writing(self, table_id: int, columns: int) -> Iterator[RegisteredDerivation]:
        """Yield the derivations that write any of some columns of a tracked table."""
        for derivation in self:
            if (
                derivation.target_column is not None
                and derivation.target_column[0] == table_id
                and derivation.target_column[1] & columns
            ):
                yield derivation

    @property
    def order(self) -> DerivationOrder:
        """The order by what has been learned so far."""
        if self._order is None:
            feeders = {d.id: {w.id for w in self if w is not d and self.reads(d, w)} for d in self}
            moved = {d.id: {m.id for m in self if m is not d and self._reads_moved(d, m)} for d in self}
            priorities = {d.id: d.declaration.when.priority for d in self}
            self._order = DerivationOrder(priorities, feeders, {d.id for d in self if self.reads(d, d)}, moved)
        return self._order

    def reads(self, reader: RegisteredDerivation, writer: RegisteredDerivation) -> bool:
        """Return whether runs of one derivation ever read what the other writes."""
        return self._reads_column(reader, writer.target_column)

    def _reads_moved(self, reader: RegisteredDerivation, writer: RegisteredDerivation) -> bool:
        """Return whether runs of a derivation ever read what a machine, or a view model, writes."""
        written = self._written[writer.id].items()
        return self._reads_column(reader, writer.state) or any(
            self._reads_column(reader, columns) for columns in written
        )

    def _reads_column(self, reader: RegisteredDerivation, written: tuple[int, int] | None) -> bool:
        if written is None:
            return False
        table_id, column = written
        if reader.plan is not None:
            table = self._patterns.table(table_id)
            return table is not None and any(map(reader.plan.reads, map(table.column, table.names(column))))
        patterns = map(self._patterns.pattern, self._uses[reader.id])
        return any(pattern.table_id == table_id and self._patterns.mask(pattern) & column for pattern in patterns)

    def columns_read(self, reader: RegisteredDerivation) -> Iterator[tuple[str, Collection[str]]]:
        """Yield the tables that a derivation reads, as far as its runs ever did, with their columns that count.

        Without columns, it reads which rows there are.
        """
        if reader.plan is not None:
            specs = (way.spec for way in reader.plan.ways if way.spec.role != "overwritten")
            yield from ((spec.table, spec.counting) for spec in specs)
            return
        for pattern in map(self._patterns.pattern, self._uses[reader.id]):
            table = self._patterns.table(pattern.table_id)
            if table is not None:
                yield table.table.fullname, list(table.names(self._patterns.mask(pattern)))

    @property
    def uses(self) -> int:
        """The number of known uses of a read pattern, over all derivations."""
        return sum(map(len, self._uses.values()))

    def has_read(self, derivation: int) -> bool:
        """Return whether any read of a derivation's runs is known."""
        return bool(self._uses[derivation])

    @property
    def untried(self) -> Collection[int]:
        """The derivations with manifests of whose runs no read is known."""
        return [derivation.id for derivation in self if derivation.plan is None and not self._uses[derivation.id]]

    def knows(self, derivation: int, patterns: Collection[int]) -> bool:
        """Return whether runs of a derivation are known to have read all these patterns."""
        return self._uses[derivation].issuperset(patterns)

    def learn(self, connection: Connection, derivation: int, patterns: Collection[int]) -> None:
        """Note which patterns runs of a derivation have read. In a transaction of its own."""
        new = set(patterns) - self._uses[derivation]
        for pattern in new:
            try:
                connection.execute(uses.insert().values(derivation=derivation, read_pattern=pattern))
                connection.commit()
            except IntegrityError:
                connection.rollback()
        if new:
            self._uses[derivation] |= new
            self._order = None

    def learn_writes(self, derivation: int, columns: Mapping[int, int]) -> None:
        """Note which columns of tracked tables a run of a view model has written."""
        known = self._written[derivation]
        new = {table_id: mask for table_id, mask in columns.items() if mask & ~known.get(table_id, 0)}
        if new:
            self._written[derivation] = {**known, **{number: known.get(number, 0) | new[number] for number in new}}
            self._order = None

    def load(self, connection: Connection) -> None:
        """Load what the runs of other servers have read, and which code they have.

        Raises `RestoredBeneath` if the database no longer knows a derivation that this server runs.
        """
        c = derivations.c
        codes = {row.id: row for row in connection.execute(select(c.id, c.checksum, c.code_changes))}
        if not self.mine.keys() <= codes.keys():
            raise RestoredBeneath
        self.derivations_version = sum(1 + row.code_changes for row in codes.values())
        self.others = not codes.keys() <= self.by_id.keys()
        before = self.mine
        self.mine = {
            number: derivation
            for number, derivation in self.by_id.items()
            if number in codes and derivation.checksum == codes[number].checksum
        }
        for number in before.keys() - self.mine.keys():
            self._on_left(before[number].name)
        rows = connection.execute(select(uses.c.derivation, uses.c.read_pattern)).all()
        self._patterns.load(connection)  # at least those that are in use
        for row in rows:
            self._uses[row.derivation].add(row.read_pattern)
        self._order = None

    def is_current(self, connection: Connection) -> bool:
        """Return whether the numbers of derivations, tables and routes still mean the same in the database."""
        names = {row.id: row.name for row in connection.execute(select(derivations.c.id, derivations.c.name))}
        tables = captured_tables(connection)
        specs = {(route.number, route.spec) for of_table in routes_by_table(connection).values() for route in of_table}
        numbers = {number for number, _ in specs}
        ways = [way for derivation in self if derivation.plan is not None for way in derivation.plan.ways]
        return (
            all(names.get(derivation.id) == derivation.name for derivation in self)
            and all(_is_same(table, tables.get(table.table.fullname)) for table in self._patterns.tables)
            and not any(way.route in numbers and (way.route, way.spec) not in specs for way in ways)
        )

    def backfill_others(self, connection: Connection) -> None:
        """Restart the backfill of derivations that this model doesn't have.

        This server consumed journal entries for their new objects without being able to create their rows. Caches that
        ran are right; the missing ones will be added.
        """
        c = derivations.c
        is_other = c.backfilled, c.id.not_in(list(self.by_id))
        connection.execute(update(derivations).where(*is_other).values(backfilled=False, backfill_position=None))

    def restart_backfill(self, connection: Connection, derivation: RegisteredDerivation) -> None:
        """Walk all objects of a derivation again: some may be new to it, and nobody can tell which.

        Caches that ran are right.
        """
        own = update(derivations).where(derivations.c.id == derivation.id)
        connection.execute(own.values(backfilled=False, backfill_position=None, backfill_done=0))


def register(connection: Connection, declared: Iterable[Derivation]) -> None:
    """Give each derivation that has none a number, each in a transaction of its own."""
    known = set(connection.execute(select(derivations.c.name)).scalars())
    for derivation in declared:
        if derivation.name not in known:
            try:
                connection.execute(derivations.insert().values(name=derivation.name))
                connection.commit()
            except IntegrityError:  # another server was quicker
                connection.rollback()


def _registered(
    connection: Connection, declared: Sequence[Derivation], tables: TrackedTables
) -> Mapping[int, RegisteredDerivation]:
    known = {row.name: row.id for row in connection.execute(select(derivations.c.name, derivations.c.id))}
    plans = refresh_plans(connection, declared, tables)
    return {
        number: RegisteredDerivation(
            number,
            derivation,
            table,
            _target(derivation, tables),
            ClassExtent(derivation.root, tables),
            _state(derivation, tables),
            plan if isinstance(plan := plans.get(derivation.name), RefreshPlan) else None,
            plan if isinstance(plan, str) else None,
        )
        for place, derivation in enumerate(declared, 1)
        # Until a server has registered it, a derivation has a number that no cache has: they are all still to run.
        if (number := known.get(derivation.name, -place)) and (table := tables.of(derivation.table)) is not None
    }


def _is_same(table: TrackedTable, captured: CapturedTable | None) -> bool:
    """Return whether a tracked table still has its number, and its columns their positions, which only ever grow."""
    return (
        captured is not None
        and captured.id == table.id
        and captured.columns[: len(table.columns)] == table.columns
        and captured.valued[: len(table.valued)] == table.valued
    )


def _target(declared: Derivation, tables: TrackedTables) -> TrackedTable | None:
    return tables.of(declared.column.table) if isinstance(declared, MemberDerivation) else None


def _state(declared: Derivation, tables: TrackedTables) -> tuple[int, int] | None:
    if not isinstance(declared, MachineDerivation) or declared.column is None:
        return None
    table = tables.of(declared.column.table)
    return None if table is None else (table.id, table.mask([declared.column.name]))


def after_all_runs(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> datetime:
    """Return a timestamp after all runs so far of some caches, also by the clocks of other servers."""
    latest = connection.execute(select(func.max(caches.c.computed)).where(*which)).scalar()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def using(connection: Connection, table_id: int) -> Sequence[int]:
    """Return the numbers of all derivations whose runs ever read of a tracked table, in this model or not."""
    return connection.execute(_using(table_id).distinct()).scalars().all()


def made_of(connection: Connection, table_id: int) -> Sequence[int]:
    """Return the numbers of derivations that ever read a tracked table, or whose objects are, or may be, in it."""
    c = derivations.c
    has_roots = c.root_table_id.is_(None) | (c.root_table_id == table_id)
    has_route = c.name.in_(select(routes.c.derivation).where(routes.c.table_id == table_id))
    return connection.execute(select(c.id).where(c.id.in_(_using(table_id)) | has_roots | has_route)).scalars().all()


def _using(table_id: int) -> Any:
    c = read_patterns.c
    return select(uses.c.derivation).join(read_patterns, c.id == uses.c.read_pattern).where(c.table_id == table_id)

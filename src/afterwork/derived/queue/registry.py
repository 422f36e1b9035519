"""The caches of the model as the database knows them, and the order in which they run."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, func, select, update
from sqlalchemy.exc import IntegrityError

from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import read_pattern as read_patterns
from afterwork.derived.tables import use as uses
from afterwork.derived.tracking.class_extent import ClassExtent
from afterwork.errors import BadRequest, MalformedExternalId, UnnamedObject, shown
from afterwork.model.derivation import Derivation, MemberDerivation
from afterwork.model.external_id import parse, placeholder_id, root_id
from afterwork.model.priority import LOWEST_PRIORITY
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables
from afterwork.store.journal.values import is_written_otherwise


@dataclass(frozen=True, eq=False)
class RegisteredDerivation:
    """A cache of the model, with its number in this database, and the watches of its root's table and of the one that
    it writes to (None for a view model, which may write to any). `objects` are those that have the cache."""

    id: int
    declaration: Derivation
    table: TrackedTable
    target: TrackedTable | None
    objects: ClassExtent

    @property
    def name(self) -> str:
        return self.declaration.name

    def root_of(self, key: int | str, dialect: Dialect, watch: TrackedTable | None = None) -> str:
        """The external id of the object whose row, in its table or another one of its tables, has this key in the
        journal. Raises `UnnamedObject`."""
        mapper = self.declaration.root
        if is_written_otherwise(watch or self.table, key, dialect):
            raise self.unfound(key, watch or self.table)
        try:
            if (watch is None or watch is self.table) and self._is_plain(key):
                return root_id(mapper, (key,))
            return root_id(mapper, self.objects.identity(watch or self.table, key, dialect))
        except Exception as error:  # whatever the types of the model raise
            why = f"A row of {self.table.table.fullname} has the key {shown(key)}: {error}"
            raise UnnamedObject(placeholder_id(mapper, key), why) from error

    def unfound(self, key: int | str, watch: TrackedTable) -> UnnamedObject:
        """An object whose row the model does not find by the key that it reads of it."""
        why = (
            f"A row of {watch.table.fullname} has the key {shown(key)}, which is written in another way than the model "
            "writes it, so that the model finds no such row."
        )
        return UnnamedObject(placeholder_id(self.declaration.root, key), why)

    def _is_plain(self, key: int | str) -> bool:
        return type(key) is int and self.table.has_plain_key

    def roots_of(
        self, keys: Iterable[int | str], dialect: Dialect, missed: Collection[int | str] = ()
    ) -> tuple[list[str], list[UnnamedObject]]:
        """The external ids of the objects with these keys, and those that have none, as those have that are missed."""
        named: list[str] = []
        unnamed: list[UnnamedObject] = []
        for key in keys:
            if key in missed:
                unnamed.append(self.unfound(key, self.table))
                continue
            try:
                named.append(self.root_of(key, dialect))
            except UnnamedObject as error:
                unnamed.append(error)
        return named, unnamed

    def there(self, connection: Connection, roots: Iterable[str]) -> set[str]:
        """Those of some external ids that are those of objects now. One that can't be read is none."""
        keys: dict[tuple[Any, ...], str] = {}
        for root in roots:
            with suppress(MalformedExternalId):
                keys[self.key_of(root)] = root
        return {keys[key] for key in self.objects.existing(connection, keys)}

    def key_of(self, root: str) -> tuple[Any, ...]:
        """The primary key of the object that has this external id."""
        mapper = self.declaration.root
        return parse(root, {mapper.class_.__name__: mapper}).key

    @cached_property
    def written(self) -> tuple[int, int] | None:
        """The watch and column that it writes. None for a view model."""
        if not isinstance(self.declaration, MemberDerivation) or self.target is None:
            return None
        return self.target.id, self.target.mask([self.declaration.column.name])


class DerivationRegistry:
    """All caches of a model. `order` is learned from what their runs read. `left` is told of each that this server runs
    no more."""

    def __init__(
        self,
        connection: Connection,
        caches: Iterable[Derivation],
        watches: TrackedTables,
        known: ReadPatterns,
        left: Callable[[str], None],
    ) -> None:
        self._shapes = known
        self._left = left
        self._order: DerivationOrder | None = None
        self._uses: dict[int, set[int]] = defaultdict(set)
        self.version = 0
        """A number that is another one as soon as the database knows of other definitions, or of other code."""
        self.others = False
        """Whether the database knows of definitions that this model has not."""
        self.mine: Mapping[int, RegisteredDerivation] = {}
        """Those that this server runs: the values of the others come from other code, which a server has brought that
        was started later."""
        numbers = {row.name: row.id for row in connection.execute(select(derivations.c.name, derivations.c.id))}
        self.by_id: Mapping[int, RegisteredDerivation] = {
            number: RegisteredDerivation(
                number, cache, watch, _target(cache, watches), ClassExtent(cache.root, watches)
            )
            for cache in caches
            if (number := numbers.get(cache.name)) is not None and (watch := watches.of(cache.table)) is not None
        }
        self.load(connection)

    def __iter__(self) -> Iterator[RegisteredDerivation]:
        return iter(self.by_id.values())

    def of(self, cache: Derivation) -> RegisteredDerivation:
        """A cache of the model as the database knows it. Raises `BadRequest` if it does not."""
        found = next((one for one in self if one.declaration is cache), None)
        if found is None:
            raise BadRequest(f"The database does not know of {cache.name} yet: no server has run since it is there.")
        return found

    def writing(self, watch: int, columns: int) -> Iterator[RegisteredDerivation]:
        """Those that write any of some columns of a watched table."""
        for found in self:
            if found.written is not None and found.written[0] == watch and found.written[1] & columns:
                yield found

    @property
    def uses(self) -> int:
        """How many kinds of reads are known, of all definitions."""
        return sum(map(len, self._uses.values()))

    def load(self, connection: Connection) -> None:
        """Learn what the runs of other servers have read, and which code they have."""
        c = derivations.c
        codes = {row.id: row for row in connection.execute(select(c.id, c.checksum, c.code_changes))}
        self.version = sum(1 + row.code_changes for row in codes.values())
        self.others = not codes.keys() <= self.by_id.keys()
        before = self.mine
        self.mine = {
            number: one for number, one in self.by_id.items() if one.declaration.checksum == codes[number].checksum
        }
        for number in before.keys() - self.mine.keys():
            self._left(before[number].name)
        found = connection.execute(select(uses.c.derivation, uses.c.read_pattern)).all()
        self._shapes.load(connection)  # at least those that are in use
        for row in found:
            self._uses[row.derivation].add(row.read_pattern)
        self._order = None

    def fill_others(self, connection: Connection) -> None:
        """Have the caches looked through that this model has not: objects that are new to them have been taken note of
        by a server that can't tell. Those that ran are right; the others will be added."""
        c = derivations.c
        others = c.backfilled, c.id.not_in(list(self.by_id))
        connection.execute(update(derivations).where(*others).values(backfilled=False, backfill_position=None))

    def look_through(self, connection: Connection, definition: RegisteredDerivation) -> None:
        """Have all objects of a cache looked through: some may be new to it, and nobody can tell which. Those that ran
        are right."""
        mine = update(derivations).where(derivations.c.id == definition.id)
        connection.execute(mine.values(backfilled=False, backfill_position=None, backfill_done=0))

    def has_read(self, definition: int) -> bool:
        """Whether it is known of any read of a definition's runs."""
        return bool(self._uses[definition])

    def knows(self, definition: int, shapes: Collection[int]) -> bool:
        """Whether runs of a definition are known to have read such shapes."""
        return self._uses[definition].issuperset(shapes)

    def learn(self, connection: Connection, definition: int, shapes: Collection[int]) -> None:
        """Note which shapes runs of a definition have read. In a transaction of its own."""
        news = set(shapes) - self._uses[definition]
        for number in news:
            try:
                connection.execute(uses.insert().values(derivation=definition, read_pattern=number))
                connection.commit()
            except IntegrityError:
                connection.rollback()
        if news:
            self._uses[definition] |= news
            self._order = None

    def reads(self, reader: RegisteredDerivation, writer: RegisteredDerivation) -> bool:
        """Whether runs of one ever read what the other writes."""
        if writer.written is None:
            return False
        watch, column = writer.written
        shapes = map(self._shapes.pattern, self._uses[reader.id])
        return any(shape.table_id == watch and self._shapes.mask(shape) & column for shape in shapes)

    @property
    def order(self) -> "DerivationOrder":
        """The order by what has been learned so far."""
        if self._order is None:
            feeders = {d.id: {w.id for w in self if w is not d and self.reads(d, w)} for d in self}
            priorities = {d.id: d.declaration.when.priority for d in self}
            self._order = DerivationOrder(priorities, feeders, {d.id for d in self if self.reads(d, d)})
        return self._order


@dataclass(frozen=True)
class DerivationOrder:
    """Which definitions feed which, directly; `looped` read what they write themselves, on other rows."""

    priorities: Mapping[int, int | None]
    direct: Mapping[int, Set[int]]
    looped: Collection[int]

    @cached_property
    def feeders(self) -> Mapping[int, set[int]]:
        """All definitions that must run before each, directly or not. Those of a circle don't wait for each other."""
        above = {one: self._reached(one) for one in self.direct}
        return {one: {other for other in found if one not in above[other]} for one, found in above.items()}

    def cycle(self, number: int) -> frozenset[int]:
        """The definitions that read one another, in a circle that leads through this one; none if there is no such."""
        return self._circles[number]

    @cached_property
    def _circles(self) -> Mapping[int, frozenset[int]]:
        above = {one: self._reached(one) for one in self.direct}
        mates = {one: {other for other in found if one in above.get(other, ())} for one, found in above.items()}
        return {one: frozenset(found | {one} if one in self.cyclic else ()) for one, found in mates.items()}

    @cached_property
    def cyclic(self) -> set[int]:
        """Those that may come to depend on themselves."""
        return {one for one in self.direct if one in self.looped or one in self._reached(one)}

    @cached_property
    def rank(self) -> Mapping[int, tuple[int, int]]:
        """What sorts definitions: urgency, which feeders inherit from those that they feed; then feeders first."""
        own = {one: LOWEST_PRIORITY if found is None else found for one, found in self.priorities.items()}
        urgency = {
            one: min([own[one], *(own[other] for other in self.direct if one in self.feeders[other])])
            for one in self.direct
        }
        return {one: (urgency[one], len(self.feeders[one])) for one in self.direct}

    def _reached(self, start: int) -> set[int]:
        found: set[int] = set()
        todo = list(self.direct[start])
        while todo:
            if (one := todo.pop()) not in found:
                found.add(one)
                todo += self.direct.get(one, ())
        return found


def _target(cache: Derivation, watches: TrackedTables) -> TrackedTable | None:
    return watches.of(cache.column.table) if isinstance(cache, MemberDerivation) else None


def after_all_runs(connection: Connection, now: datetime, *which: ColumnElement[bool]) -> datetime:
    """A moment after all runs that there have been of some caches, also by the clocks of other servers."""
    latest = connection.execute(select(func.max(caches.c.computed)).where(*which)).scalar()
    return now if latest is None else max(now, latest + timedelta(microseconds=1))


def using(connection: Connection, watch: int) -> Sequence[int]:
    """Return the numbers of all definitions whose runs ever read something of a watched table, in this model or not."""
    return connection.execute(_using(watch).distinct()).scalars().all()


def made_of(connection: Connection, watch: int) -> Sequence[int]:
    """Return the same, and those that have, or may have, their objects in the table."""
    c = derivations.c
    has_roots = c.root_table_id.is_(None) | (c.root_table_id == watch)
    return connection.execute(select(c.id).where(c.id.in_(_using(watch)) | has_roots)).scalars().all()


def _using(watch: int) -> Any:
    return (
        select(uses.c.derivation)
        .join(read_patterns, read_patterns.c.id == uses.c.read_pattern)
        .where(read_patterns.c.table_id == watch)
    )


def register(connection: Connection, caches: Iterable[Derivation]) -> None:
    """Give each cache a number that has none yet, each in a transaction of its own."""
    known = set(connection.execute(select(derivations.c.name)).scalars())
    for cache in caches:
        if cache.name not in known:
            try:
                connection.execute(derivations.insert().values(name=cache.name))
                connection.commit()
            except IntegrityError:  # another server was quicker
                connection.rollback()

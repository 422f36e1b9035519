"""Explain a value: what its last run read, what made it run, and which caches read a member."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Dialect, Table, select
from sqlalchemy import inspect as state_of
from sqlalchemy.orm import ColumnProperty, CompositeProperty, InstanceState, RelationshipDirection, RelationshipProperty

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.explain.in_sets import SetExplainer
from afterwork.derived.explain.transitions import PossibleTransition
from afterwork.derived.manifest.read_patterns import patterns_in
from afterwork.derived.manifest.reads import (
    QueryRead,
    ReadPattern,
    Reads,
    RowRead,
    pattern_number,
    read_key,
    row_number,
)
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import shown_due
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadRequest, NoCacheYet
from afterwork.model.external_id import external_id, placeholder_id
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.journal.tracked_table import TrackedTable, joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of

State = Literal["fresh", "stale", "running", "failed", "never run"]

MAX_READERS = 10_000
"""Most caches that `impact` follows."""


ASIDE = "it could not be made right together with others"
"""The reason why a value runs alone whose derivation is refreshed in sets."""


@dataclass(frozen=True)
class ReadGroup:
    """Reads of one kind: what was read, and their number."""

    what: str
    count: int


@dataclass(frozen=True)
class CacheLine:
    """The state of one cache of one object.

    `took` is in seconds; `because` is what made it run last, `stale` why it is to run again, and `due` when.
    """

    root_id: str
    state: State
    runs: int
    computed: datetime | None
    took: float | None
    because: Cause | None
    stale: Cause | None
    due: datetime | None
    error: str | None


STANDING = (*caches.c, dues.c.due, dues.c.since, dues.c.claim, dues.c.cause.label("stale_cause"))
"""The columns of a cache, and of its mark in the queue, that make up its state."""


def line_of(row: Any) -> CacheLine:
    """Return the state of a cache from its `STANDING` columns."""
    return CacheLine(
        row.root,
        state_in(row),
        row.runs,
        row.computed,
        row.took,
        read_cause(row.cause),
        read_cause(row.stale_cause),
        shown_due(row.due),
        row.error,
    )


@dataclass(frozen=True)
class Explanation(CacheLine):
    """All that is known of one cache of one object.

    For a machine, that is also the state that it is in, and the steps that it would take by itself.
    """

    name: str
    reads: tuple[ReadGroup, ...]
    stands_in: str | None = None
    steps: tuple[PossibleTransition, ...] = ()
    is_in_sets: bool = False
    is_at_commit: bool = False
    why_not_in_sets: str | None = None

    def __str__(self) -> str:
        lines = [f"{self.name} of {self.root_id} is {self.state}."]
        if self.stands_in is not None:
            lines.append(f"  It stands in {self.stands_in}.")
        lines += [f"  {step}" for step in self.steps]
        if self.stale is not None:
            lines.append(f"  It is to run {f'at {self.due} ' if self.state == 'fresh' else ''}because {self.stale}.")
        if self.computed is not None and self.runs:
            times = "once" if self.runs == 1 else f"{self.runs:,} times, last"
            lines.append(f"  It has run {times} at {self.computed}, for {(self.took or 0) * 1000:.1f} ms.")
            lines.append(f"  It ran because {self.because}.")
        if self.error is not None:
            lines.append(f"  It failed: {self.error}")
            again = "" if self.due is None else f" at {self.due}, or"
            lines.append(f"  It is tried again{again} when something that it read changes.")
        if self.is_at_commit:
            lines.append("  It is computed at commit, by the transaction that changes what it is made of.")
        elif self.is_in_sets:
            lines.append("  It is refreshed in sets: its query leads from each change to the objects that it touches.")
        if self.why_not_in_sets is not None:
            lines.append(f"  It is not refreshed in sets, since {self.why_not_in_sets}.")
        verb = "reads" if self.is_in_sets else "read"
        lines += [f"  It {verb} {group.count:,} × {group.what}" for group in self.reads]
        return "\n".join(lines)


@dataclass(frozen=True)
class Reader:
    """A cache that reads something, directly, or through another cache."""

    name: str
    root_id: str
    through: str | None


@dataclass(frozen=True)
class Explainer:
    """Answers questions about the caches in one database. Changes nothing."""

    matcher: Matcher

    @property
    def in_sets(self) -> SetExplainer:
        """Return the explainer of values that are refreshed in sets."""
        return SetExplainer(self.matcher)

    def explain(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> Explanation:
        """Return all that is known of a cache. Raises `BadRequest` if the object has none."""
        c, d = caches.c, dues.c
        row = connection.execute(
            select(*STANDING).outerjoin(dues, d.cache == c.id).where(c.derivation == derivation.id, c.root == root)
        ).one_or_none()
        if row is None and derivation.plan is not None:
            return self._refreshed(connection, derivation, derivation.plan, root)
        if row is None:
            raise NoCacheYet(root, derivation.name)
        groups = tuple(self._in_groups(pattern for pattern, _ in self.reads(connection, derivation, root)))
        return Explanation(
            **vars(line_of(row)),
            name=derivation.name,
            reads=groups,
            why_not_in_sets=derivation.why_not_in_sets if derivation.plan is None else ASIDE,
        )

    def _refreshed(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, root: str
    ) -> Explanation:
        """Return what can be told of a value that is refreshed in sets: what it is now, and what it reads."""
        key = derivation.key_of(root)
        value = self.in_sets.value(connection, plan, key)
        if value is None:
            raise NoCacheYet(root, derivation.name)
        state: State = "stale" if value.differs else "fresh"
        cause = self.in_sets.cause(connection, derivation, plan, key) if value.differs else None
        groups = self._in_groups(pattern for pattern, _ in self.reads(connection, derivation, root))
        line = CacheLine(root, state, 0, None, None, None, cause, None, None)
        is_at_commit = any(way.spec.at_commit for way in plan.ways)
        return Explanation(
            **vars(line), name=derivation.name, reads=tuple(groups), is_in_sets=True, is_at_commit=is_at_commit
        )

    def explain_object(self, connection: Connection, derivation: RegisteredDerivation, obj: object) -> Explanation:
        """Return the same for an object, which may have a key that no external id can be made of."""
        try:
            return self.explain(connection, derivation, external_id(obj))
        except BadRequest:
            identity = tuple(derivation.declaration.root.primary_key_from_instance(obj))
            keys = derivation.objects.row_keys(connection, derivation.table, [identity])
            if identity in keys:
                with suppress(NoCacheYet):
                    placeholder = placeholder_id(derivation.declaration.root, keys[identity])
                    return self.explain(connection, derivation, placeholder)
            raise

    def readers_of(
        self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str], limit: int
    ) -> list[Reader]:
        """Return up to `limit` caches that directly read what caches of a derivation write."""
        read_keys = [key for root in roots for key in self._keys_of_result(derivation, root)]
        known = self.matcher.registry.by_id
        readers = list(self._manifest_readers(connection, read_keys, limit))
        for root in roots:
            readers += self.in_sets.readers_of_result(connection, derivation, root, limit)
        unique = dict.fromkeys((number, root) for number, root in readers if number in known)
        return [Reader(known[number].name, root, None) for number, root in unique][:limit]

    def impact(self, connection: Connection, obj: object, member: str, limit: int = MAX_READERS) -> list[Reader]:
        """Return up to `limit` caches that a change of a member makes stale, also through others, nearest first."""
        readers: dict[tuple[int, str], Reader] = {}
        name = _without_class(obj, member)
        first = [*self._manifest_readers(connection, self._keys_of_member(obj, name), limit)]
        first += self.in_sets.readers_of_member(connection, obj, name, limit)
        todo: list[tuple[tuple[int, str], str | None]] = [(reader, None) for reader in first]
        while todo and len(readers) < limit:
            (derivation, root), through = todo.pop(0)
            known = self.matcher.registry.by_id.get(derivation)
            if (derivation, root) in readers or known is None:
                continue
            readers[derivation, root] = Reader(known.name, root, through)
            onward = [*self._manifest_readers(connection, self._keys_of_result(known, root), limit)]
            onward += self.in_sets.readers_of_result(connection, known, root, limit)
            todo += [(reader, f"{known.name} of {root}") for reader in onward]
        return list(readers.values())

    def reads(
        self, connection: Connection, derivation: RegisteredDerivation, root: str
    ) -> list[tuple[ReadPattern, int | None]]:
        """Return the reads of a cache, with the keys that are whole numbers."""
        numbers = self.matcher.cache_rows.numbers(connection, derivation, [root])
        if root not in numbers and derivation.plan is not None:
            reads = self.in_sets.reads(connection, derivation, derivation.plan, derivation.key_of(root))
            return [(pattern, row_number(read_key(0, key))) for pattern, key in patterns_in(reads)]
        read_keys = self.matcher.manifest_store.read_keys(connection, list(numbers.values())).get(numbers[root], ())
        return [(self.matcher.patterns.pattern(pattern_number(key)), row_number(key)) for key in read_keys]

    def _in_groups(self, patterns: Iterable[ReadPattern]) -> Iterator[ReadGroup]:
        for pattern, count in Counter(patterns).most_common():
            yield ReadGroup(self._words(pattern), count)

    def words(self, reads: Reads) -> Iterator[str]:
        """Yield each kind of read in words, with its count if that is more than one."""
        for pattern, count in Counter(pattern for pattern, _ in patterns_in(reads)).most_common():
            yield self._words(pattern) if count == 1 else f"{count:,} × {self._words(pattern)}"

    def _words(self, pattern: ReadPattern) -> str:
        table = self.matcher.patterns.table(pattern.table_id)
        if table is None:
            return "a table that is no longer tracked"
        names = ", ".join(table.names(pattern.columns))
        match pattern:
            case RowRead():
                return f"{table.table.fullname}: {names or 'that it exists'}"
            case QueryRead(equal=()):
                return f"all of {table.table.fullname}" + (f", by {names}" if names else "")
            case QueryRead(equal=equal):
                return f"{table.table.fullname} with a certain {', '.join(equal)}" + (f", by {names}" if names else "")

    def _readers(self, connection: Connection, read_keys: Sequence[int], limit: int) -> list[tuple[int, int, str]]:
        return self.matcher.manifest_store.readers(connection, read_keys, limit) if read_keys else []

    def _manifest_readers(
        self, connection: Connection, read_keys: Iterable[int], limit: int
    ) -> Iterator[tuple[int, str]]:
        for _, derivation, root in self._readers(connection, list(read_keys), limit):
            yield derivation, root

    def _keys_of_result(self, derivation: RegisteredDerivation, root: str) -> Iterator[int]:
        if derivation.target_column is None or derivation.target is None:
            return
        table, column = derivation.target_column
        key = _key_of(derivation.target, derivation.key_of(root), self.matcher.dialect)
        if key is not None:
            yield from self._row_read_keys(table, column, key)

    def _keys_of_member(self, obj: object, member: str) -> Iterator[int]:
        state: InstanceState[Any] = state_of(obj)
        prop = state.mapper.attrs.get(member)
        if prop is None:
            raise BadRequest(f"{state.mapper.class_.__name__} has no member {member!r}.")
        if isinstance(prop, RelationshipProperty):
            if prop.direction is not RelationshipDirection.MANYTOONE:
                yield from self._keys_of_relationship(state, prop)
                return
            columns: Iterable[Any] = prop.local_columns
        elif isinstance(prop, ColumnProperty | CompositeProperty):
            columns = prop.columns
        else:
            raise BadRequest(f"{state.mapper.class_.__name__}.{member} has no columns. Ask for what it is made of.")
        for column in columns:
            yield from self._keys_of_column(state, column)

    def _keys_of_relationship(self, state: InstanceState[Any], prop: RelationshipProperty[Any]) -> Iterator[int]:
        """Yield the read keys of a relationship: columns of other rows, or of rows between, hold the object's key."""
        links = {far: near for near, far in prop.synchronize_pairs}
        tables = {table for far in links if (table := self.matcher.patterns.tables.of(far.table)) is not None}
        for table in tables:
            own = {far.name: near for far, near in links.items() if far.table is table.table}
            yield from self._query_read_keys(state, table, own, table.mask(list(own)))

    def _keys_of_column(self, state: InstanceState[Any], column: Any) -> Iterator[int]:
        table = self.matcher.patterns.tables.of(getattr(column, "table", None))
        if table is None or not isinstance(column.table, Table):
            return
        key = _key_of(table, tuple(state.mapper.primary_key_from_instance(state.obj())), self.matcher.dialect)
        mask = table.mask([column.name])
        if key is not None:
            yield from self._row_read_keys(table.id, mask, key)
        yield from self._query_read_keys(state, table, {own.name: own for own in table.table.columns}, mask)

    def _row_read_keys(self, table: int, mask: int, key: int | str) -> Iterator[int]:
        for number, row in self.matcher.patterns.row_reads(table):
            if row.columns & mask:
                yield read_key(number, key)

    def _query_read_keys(
        self, state: InstanceState[Any], table: TrackedTable, own: Mapping[str, Any], mask: int
    ) -> Iterator[int]:
        """Yield the read keys of queries about `mask`; `own` are the columns of the object with the same values."""
        for number, query in self.matcher.patterns.query_reads(table.id):
            if self.matcher.patterns.mask(query) & mask and own.keys() >= set(query.equal):
                with suppress(*BAD_VALUE):
                    texts = [self._text(state, table, name, own[name]) for name in query.equal]
                    yield read_key(number, joined(texts))

    def _text(self, state: InstanceState[Any], table: TrackedTable, name: str, member: Any) -> str | None:
        value = getattr(state.obj(), state.mapper.get_property_by_column(member).key)
        return text_of(table, name, value, self.matcher.dialect)


def _without_class(obj: object, member: str) -> str:
    """Return the name of a member that may be given as `Class.member`."""
    owner, _, name = member.rpartition(".")
    return name if owner in {cls.__name__ for cls in type(obj).__mro__} else member


def _key_of(table: TrackedTable, identity: tuple[Any, ...], dialect: Dialect) -> int | str | None:
    """Return the journal's key of a row; None if it is unknown, so that all its readers must be cautious."""
    with suppress(*BAD_VALUE):
        return key_of(table, identity, dialect)
    return None


def state_in(row: Any) -> State:
    """Return the state of a cache from its own row and its mark in the queue."""
    if row.claim is not None:
        return "running"
    if row.error is not None:
        return "failed"
    if row.computed is None:
        return "never run"
    return "stale" if row.since is not None else "fresh"

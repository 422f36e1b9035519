"""Why a value is what it is: what its last run read, what made it run, and who reads a member."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Dialect, Table, select
from sqlalchemy import inspect as state_of
from sqlalchemy.orm import ColumnProperty, CompositeProperty, InstanceState, RelationshipDirection, RelationshipProperty

from afterwork.derived.cause import Cause, read_cause
from afterwork.derived.explain.transitions import PossibleTransition
from afterwork.derived.manifest.read_pattern import QueryRead, ReadPattern, RowRead, pattern_number, read_key
from afterwork.derived.manifest.read_patterns import patterns_in
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import shown_due
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import due as dues
from afterwork.errors import BadRequest
from afterwork.store.journal.tracked_table import TrackedTable, joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of

State = Literal["fresh", "stale", "running", "failed", "never run"]

FURTHEST = 10_000
"""Caches that `impact` follows at most."""


@dataclass(frozen=True)
class ReadGroup:
    """Reads of one kind: what was read, and how many there were."""

    what: str
    count: int


@dataclass(frozen=True)
class CacheLine:
    """How one cache of one object stands. `took` is in seconds; `because` is what made it run last, `stale` why it is
    to run again, and `due` when."""

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
"""The columns of a cache, and of what is due of it, that tell how it stands."""


def line_of(row: Any) -> CacheLine:
    """How a cache stands, by its `STANDING`."""
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
    """All that is known of one cache of one object. Of a machine: the state that it is in, and the steps that it would
    take by itself."""

    name: str
    reads: tuple[ReadGroup, ...]
    stands_in: str | None = None
    steps: tuple[PossibleTransition, ...] = ()

    def __str__(self) -> str:
        lines = [f"{self.name} of {self.root_id} is {self.state}."]
        if self.stands_in is not None:
            lines.append(f"  It stands in {self.stands_in}.")
        lines += [f"  {step}" for step in self.steps]
        if self.stale is not None:
            lines.append(f"  It is to run {f'at {self.due} ' if self.state == 'fresh' else ''}because {self.stale}.")
        if self.computed is not None:
            times = "once" if self.runs == 1 else f"{self.runs:,} times, last"
            lines.append(f"  It has run {times} at {self.computed}, for {(self.took or 0) * 1000:.1f} ms.")
            lines.append(f"  It ran because {self.because}.")
        if self.error is not None:
            lines.append(f"  It failed: {self.error}")
        lines += [f"  It read {group.count:,} × {group.what}" for group in self.reads]
        return "\n".join(lines)


@dataclass(frozen=True)
class Reader:
    """A cache that reads something, directly or by way of others (`through`: the cache that it reads)."""

    name: str
    root_id: str
    through: str | None


@dataclass(frozen=True)
class Explainer:
    """Answers questions about the caches in one database. Changes nothing."""

    matcher: Matcher

    def explain(self, connection: Connection, definition: RegisteredDerivation, root: str) -> Explanation:
        """What is known of a cache. Raises `BadRequest` if the object has none."""
        c, d = caches.c, dues.c
        row = connection.execute(
            select(*STANDING).outerjoin(dues, d.cache == c.id).where(c.derivation == definition.id, c.root == root)
        ).one_or_none()
        if row is None:
            raise BadRequest(f"{root} has no cache {definition.name}: it is not there, or was added just now.")
        groups = tuple(self._groups(connection, row.id))
        return Explanation(**vars(line_of(row)), name=definition.name, reads=groups)

    def readers_of(
        self, connection: Connection, definition: RegisteredDerivation, roots: Sequence[str], most: int
    ) -> list[Reader]:
        """The caches that read what caches of a definition write, directly, and no more than `most` of them."""
        tokens = [token for root in roots for token in self._tokens_of_result(definition, root)]
        known = self.matcher.registry.by_id
        return [
            Reader(known[number].name, root, None)
            for _, number, root in self._readers(connection, tokens, most)
            if number in known
        ]

    def impact(self, connection: Connection, obj: object, member: str, most: int = FURTHEST) -> list[Reader]:
        """The caches that become stale if a member of an object changes, and those that may follow from them; `most` of
        them, the first ones first."""
        found: dict[int, Reader] = {}
        touched = list(self._tokens_of_member(obj, member))
        todo = [(number, None) for number in self._readers(connection, touched, most)]
        while todo and len(found) < most:
            (number, definition, root), through = todo.pop(0)
            known = self.matcher.registry.by_id.get(definition)
            if number in found or known is None:
                continue
            found[number] = Reader(known.name, root, through)
            onward = self._readers(connection, list(self._tokens_of_result(known, root)), most)
            todo += [(one, f"{known.name} of {root}") for one in onward]  # type: ignore[misc]
        return list(found.values())

    def _groups(self, connection: Connection, cache: int) -> Iterator[ReadGroup]:
        tokens = self.matcher.manifest_store.read_keys(connection, [cache]).get(cache, ())
        counts = Counter(map(pattern_number, tokens))
        for number, count in counts.most_common():
            yield ReadGroup(self._words(self.matcher.patterns.pattern(number)), count)

    def words(self, reads: Reads) -> Iterator[str]:
        """What was read, each kind once, with its count if that is more than one."""
        for shape, count in Counter(shape for shape, _ in patterns_in(reads)).most_common():
            yield self._words(shape) if count == 1 else f"{count:,} × {self._words(shape)}"

    def _words(self, shape: ReadPattern) -> str:
        watch = self.matcher.patterns.table(shape.table_id)
        if watch is None:
            return "a table that is not watched any more"
        names = ", ".join(watch.names(shape.columns))
        match shape:
            case RowRead():
                return f"{watch.table.fullname}: {names or 'that it exists'}"
            case QueryRead(equal=()):
                return f"all of {watch.table.fullname}" + (f", by {names}" if names else "")
            case QueryRead(equal=equal):
                return f"{watch.table.fullname} with a certain {', '.join(equal)}" + (f", by {names}" if names else "")

    def _readers(self, connection: Connection, tokens: Sequence[int], most: int) -> list[tuple[int, int, str]]:
        return self.matcher.manifest_store.readers(connection, tokens, most) if tokens else []

    def _tokens_of_result(self, definition: RegisteredDerivation, root: str) -> Iterator[int]:
        if definition.written is None or definition.target is None:
            return
        watch, column = definition.written
        key = _key_of(definition.target, definition.key_of(root), self.matcher.dialect)
        if key is not None:
            yield from self._row_tokens(watch, column, key)

    def _tokens_of_member(self, obj: object, member: str) -> Iterator[int]:
        state: InstanceState[Any] = state_of(obj)
        prop = state.mapper.attrs.get(member)
        if prop is None:
            raise BadRequest(f"{state.mapper.class_.__name__} has no member {member!r}.")
        if isinstance(prop, RelationshipProperty):
            if prop.direction is not RelationshipDirection.MANYTOONE:
                yield from self._tokens_of_end(state, prop)
                return
            columns: Iterable[Any] = prop.local_columns
        elif isinstance(prop, ColumnProperty | CompositeProperty):
            columns = prop.columns
        else:
            raise BadRequest(f"{state.mapper.class_.__name__}.{member} has no columns. Ask for what it is made of.")
        for column in columns:
            yield from self._tokens_of_column(state, column)

    def _tokens_of_end(self, state: InstanceState[Any], prop: RelationshipProperty[Any]) -> Iterator[int]:
        """Others are linked with an object by columns of their rows, or of rows between, that have its key."""
        links = {far: near for near, far in prop.synchronize_pairs}
        watches = {watch for far in links if (watch := self.matcher.patterns.tables.of(far.table)) is not None}
        for watch in watches:
            own = {far.name: near for far, near in links.items() if far.table is watch.table}
            mask = watch.mask(list(own))
            for number, where in self.matcher.patterns.query_reads(watch.id):
                if self.matcher.patterns.mask(where) & mask and own.keys() >= set(where.equal):
                    with suppress(*BAD_VALUE):
                        texts = [self._text_of(state, watch, name, own[name]) for name in where.equal]
                        yield read_key(number, joined(texts))

    def _tokens_of_column(self, state: InstanceState[Any], column: Any) -> Iterator[int]:
        watch = self.matcher.patterns.tables.of(getattr(column, "table", None))
        if watch is None or not isinstance(column.table, Table):
            return
        dialect = self.matcher.dialect
        key = _key_of(watch, tuple(state.mapper.primary_key_from_instance(state.obj())), dialect)
        mask = watch.mask([column.name])
        if key is not None:
            yield from self._row_tokens(watch.id, mask, key)
        yield from self._where_tokens(state, watch, mask)

    def _row_tokens(self, watch: int, mask: int, key: int | str) -> Iterator[int]:
        for number, row in self.matcher.patterns.row_reads(watch):
            if row.columns & mask:
                yield read_key(number, key)

    def _where_tokens(self, state: InstanceState[Any], watch: TrackedTable, mask: int) -> Iterator[int]:
        for number, where in self.matcher.patterns.query_reads(watch.id):
            if self.matcher.patterns.mask(where) & mask:
                with suppress(*BAD_VALUE):
                    yield read_key(number, joined([self._text(state, watch, name) for name in where.equal]))

    def _text(self, state: InstanceState[Any], watch: TrackedTable, name: str) -> str | None:
        return self._text_of(state, watch, name, watch.column(name))

    def _text_of(self, state: InstanceState[Any], watch: TrackedTable, name: str, member: Any) -> str | None:
        """The text of a column that has the same value as a column of an object."""
        value = getattr(state.obj(), state.mapper.get_property_by_column(member).key)
        return text_of(watch, name, value, self.matcher.dialect)


def _key_of(watch: TrackedTable, identity: tuple[Any, ...], dialect: Dialect) -> int | str | None:
    """The journal's key of a row; None where it can't be told, so that all readers are cautious ones."""
    with suppress(*BAD_VALUE):
        return key_of(watch, identity, dialect)
    return None


def state_in(row: Any) -> State:
    """How a cache stands, by its own row and what is due."""
    if row.claim is not None:
        return "running"
    if row.error is not None:
        return "failed"
    if row.computed is None:
        return "never run"
    return "stale" if row.since is not None else "fresh"

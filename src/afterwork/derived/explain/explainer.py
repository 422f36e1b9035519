"""Explain a value: what its last run read, what made it run, and what has become of that since."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace

from sqlalchemy import Connection, select

from afterwork.derived.cause import Cause
from afterwork.derived.compute.staleness import Staleness
from afterwork.derived.explain.explanation import ASIDE, STANDING, CacheLine, Explanation, ReadGroup, line_of
from afterwork.derived.explain.in_sets import SetExplainer
from afterwork.derived.explain.readers import Readers
from afterwork.derived.manifest.read_patterns import patterns_in
from afterwork.derived.manifest.reads import (
    QueryRead,
    ReadPattern,
    Reads,
    RowRead,
    read_key,
    row_number,
)
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadRequest, MalformedExternalId, NoCacheYet
from afterwork.model.external_id import external_id, placeholder_id
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues
from afterwork.store.journal.refresh import RefreshPlan

MAX_WAITING = 10_000
"""The most waiting changes that an explanation looks through."""


@dataclass(frozen=True)
class Explainer:
    """Answers questions about the caches in one database. Changes nothing."""

    matcher: Matcher

    @property
    def in_sets(self) -> SetExplainer:
        """Return the explainer of values that are refreshed in sets."""
        return SetExplainer(self.matcher)

    @property
    def readers(self) -> Readers:
        """Return the finder of the caches that read something."""
        return Readers(self.matcher)

    def explain(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> Explanation:
        """Return all that is known of a cache, as of now. Raises `NoCacheYet` if there is no such object."""
        known = self._known(connection, derivation, root)
        return self._before_its_first_run(connection, derivation, root) if known is None else known

    def _known(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> Explanation | None:
        """Return all that is known of a cache; None if no server has come to it yet."""
        c, d = caches.c, dues.c
        row = connection.execute(
            select(*STANDING).outerjoin(dues, d.cache == c.id).where(c.derivation == derivation.id, c.root == root)
        ).one_or_none()
        if row is None and derivation.plan is not None:
            return self._refreshed(connection, derivation, derivation.plan, root)
        if row is None:
            return None
        groups = tuple(self._in_groups(pattern for pattern, _ in self.reads(connection, derivation, root)))
        noted = Explanation(
            **vars(line_of(row)),
            name=derivation.name,
            reads=groups,
            why_not_in_sets=derivation.why_not_in_sets if derivation.plan is None else ASIDE,
        )
        return self._as_of_now(connection, derivation, noted, row.id) if noted.state == "fresh" else noted

    def _before_its_first_run(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> Explanation:
        """Return all that can be told of a cache of an object to which no server has come yet."""
        if root not in derivation.existing(connection, [root]):
            raise NoCacheYet(root, derivation.name)
        line = CacheLine(root, "never run", 0, None, None, None, None, None, None, None)
        return Explanation(**vars(line), name=derivation.name, reads=(), why_not_in_sets=derivation.why_not_in_sets)

    def _as_of_now(
        self, connection: Connection, derivation: RegisteredDerivation, noted: Explanation, cache: int
    ) -> Explanation:
        """Return the explanation of a cache that was fresh before the changes which no server has taken yet."""
        waiting = self.matcher.entries.first_waiting(connection, MAX_WAITING)
        if waiting is None:
            return replace(noted, is_behind=True)
        staleness = Staleness(connection, self.matcher, waiting)
        if not staleness.is_stale(derivation, noted.root_id):
            return noted
        cause = staleness.cause(cache)
        if cause is None and derivation.plan is not None:
            cause = self.in_sets.cause(connection, derivation, derivation.plan, derivation.key_of(noted.root_id))
        return replace(noted, state="stale", stale=cause or Cause("feeder"), due=None)

    def _refreshed(
        self, connection: Connection, derivation: RegisteredDerivation, plan: RefreshPlan, root: str
    ) -> Explanation:
        """Return all that can be told of a value that is refreshed in sets: what it is now, and what it reads."""
        key = derivation.key_of(root)
        line = next(iter(self.in_sets.lines(connection, derivation, plan, [key]).values()), None)
        if line is None:
            raise NoCacheYet(root, derivation.name)
        groups = self._in_groups(pattern for pattern, _ in self.reads(connection, derivation, root))
        return Explanation(
            **vars(line), name=derivation.name, reads=tuple(groups), is_in_sets=True, is_at_commit=plan.is_at_commit
        )

    def explain_object(self, connection: Connection, derivation: RegisteredDerivation, obj: object) -> Explanation:
        """Return the same for an object, which may have a key that no external id can be made of."""
        with suppress(BadRequest, MalformedExternalId):
            if (known := self._known(connection, derivation, external_id(obj))) is not None:
                return known
        unnamed = self._unnamed(connection, derivation, obj)
        return self.explain(connection, derivation, external_id(obj)) if unnamed is None else unnamed

    def _unnamed(self, connection: Connection, derivation: RegisteredDerivation, obj: object) -> Explanation | None:
        """Return all that is known of the cache of an object without an external id; None if it has one."""
        identity = tuple(derivation.declaration.root.primary_key_from_instance(obj))
        keys = derivation.objects.row_keys(connection, derivation.table, [identity])
        if identity not in keys:
            return None
        with suppress(NoCacheYet, MalformedExternalId):
            return self._known(connection, derivation, placeholder_id(derivation.declaration.root, keys[identity]))
        return None

    def reads(
        self, connection: Connection, derivation: RegisteredDerivation, root: str
    ) -> list[tuple[ReadPattern, int | None]]:
        """Return the reads of a cache, with the keys that are whole numbers."""
        numbers = self.matcher.cache_rows.numbers(connection, derivation, [root])
        if root not in numbers and derivation.plan is not None:
            reads = self.in_sets.reads(connection, derivation, derivation.plan, derivation.key_of(root))
            return [(pattern, row_number(read_key(0, key))) for pattern, key in patterns_in(reads)]
        of_caches = self.matcher.manifest_store.read_keys(connection, list(numbers.values()))
        read_keys = of_caches.get(numbers.get(root, 0), ())  # it may have been dropped meanwhile
        return [(self.matcher.patterns.of_read_key(connection, key), row_number(key)) for key in read_keys]

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

"""The dependencies of one cache of one object: what it has read, and who reads it. Its diagram shows them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from afterwork.derived.explain.explainer import Explainer
from afterwork.derived.explain.explanation import CacheState, state_in
from afterwork.derived.explain.readers import Reader
from afterwork.derived.manifest.reads import QueryRead, ReadPattern, RowRead
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.insight.member_names import MemberNames
from afterwork.model.external_id import ExternalId
from afterwork.store.bounded_count import Count
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import due as dues

MAX_READS = 10_000
"""The most reads of one run that are shown."""

MAX_READERS = 500
"""The most readers that are found on each level."""

MAX_SHOWN = 50
"""The most members of a group that are listed."""


@dataclass(frozen=True)
class Dependency:
    """An object that was read, or a cache that reads.

    `root_id` is the object's external id, None for a query. `members` are those that were read. `cache` names the
    cache that calculates them, which is in `state`.
    """

    label: str
    root_id: str | None
    members: Sequence[str]
    cache: str | None = None
    state: CacheState | None = None


@dataclass(frozen=True)
class DependencyGroup:
    """The dependencies on one class or cache: their number, and the first ones."""

    name: str
    count: Count
    listed: Sequence[Dependency]


@dataclass(frozen=True)
class Dependencies:
    """A cache of an object with what it has read, who reads it, and who reads those.

    `onward` are pairs of names: a group of readers, and a group of `further` that reads some of them.
    """

    name: str
    root_id: str
    state: CacheState
    reads: Sequence[DependencyGroup]
    readers: Sequence[DependencyGroup]
    further: Sequence[DependencyGroup]
    onward: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class DependencyFinder:
    """Finds the dependencies of caches."""

    explainer: Explainer
    naming: MemberNames

    def around(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> Dependencies:
        """Return the dependencies of a cache. Raises `BadRequest` if the object has none."""
        state = self.explainer.explain(connection, derivation, root).state
        reads = self._reads(connection, derivation, root)
        first = self.explainer.readers.of(connection, derivation, [root], MAX_READERS + 1)
        above, onward = self._above(connection, first[:MAX_READERS], {(derivation.name, root)})
        return Dependencies(
            derivation.name,
            root,
            state,
            self._with_states(connection, reads),
            self._grouped(connection, first),
            self._grouped(connection, above),
            onward,
        )

    def _reads(self, connection: Connection, derivation: RegisteredDerivation, root: str) -> list[DependencyGroup]:
        reads = self.explainer.reads(connection, derivation, root)
        by_group: dict[str, dict[str, Dependency]] = defaultdict(dict)
        nameless: dict[str, int] = defaultdict(int)
        for pattern, key in reads[:MAX_READS]:
            group, read = self._read(pattern, key)
            if read is None:
                nameless[group] += 1
            else:
                before = by_group[group].get(read.label)
                by_group[group][read.label] = read if before is None else _both(before, read)
        more = len(reads) > MAX_READS
        return [
            DependencyGroup(
                name, Count(len(by_group[name]) + nameless[name], more), list(by_group[name].values())[:MAX_SHOWN]
            )
            for name in sorted(by_group.keys() | nameless.keys())
        ]

    def _read(self, pattern: ReadPattern, key: int | None) -> tuple[str, Dependency | None]:
        """Return the group of a read, and its object or query.

        The latter is None if it can't be told: of a key that is no integer, only a checksum is stored.
        """
        tracked_table = self.explainer.matcher.patterns.table(pattern.table_id)
        if tracked_table is None:
            return "a table that is no longer tracked", None
        table = tracked_table.table.fullname
        mapper, name = self.naming.mapper(table), self.naming.table(table)
        members = [self.naming.member(table, column) for column in tracked_table.names(pattern.columns)]
        match pattern:
            case QueryRead(equal=equal):
                asked = [self.naming.member(table, compared) for compared in equal]
                return f"{name}, queried", _question(name, asked, key, members)
            case RowRead() if key is None or mapper is None or len(mapper.primary_key) != 1:
                return name, None
            case RowRead():
                root = str(ExternalId(mapper, (key,)))
                writer = next(self.explainer.matcher.registry.writing(tracked_table.id, pattern.columns), None)
                return name, Dependency(root, root, members, None if writer is None else writer.name)

    def _above(
        self, connection: Connection, first: Sequence[Reader], known: set[tuple[str, str]]
    ) -> tuple[list[Reader], list[tuple[str, str]]]:
        """Return who reads the readers, each once, and the pairs of names of both sides."""
        known |= {(reader.name, reader.root_id) for reader in first}
        further: dict[tuple[str, str], Reader] = {}
        onward: dict[tuple[str, str], None] = {}
        by_name = {reader.name: reader for reader in self.explainer.matcher.registry}
        for name, roots in _by_name(first).items():
            for reader in self.explainer.readers.of(connection, by_name[name], roots, MAX_READERS + 1):
                if (reader.name, reader.root_id) not in known:
                    further[reader.name, reader.root_id] = reader
                    onward[name, reader.name] = None
        return list(further.values()), list(onward)

    def _grouped(self, connection: Connection, readers: Sequence[Reader]) -> list[DependencyGroup]:
        groups = [
            DependencyGroup(
                name,
                Count(min(len(roots), MAX_READERS), len(readers) > MAX_READERS),
                [Dependency(root, root, (), name) for root in roots[:MAX_SHOWN]],
            )
            for name, roots in sorted(_by_name(readers).items())
        ]
        return self._with_states(connection, groups)

    def _with_states(self, connection: Connection, groups: Sequence[DependencyGroup]) -> list[DependencyGroup]:
        """Return the groups with the states of their caches."""
        wanted: dict[str, list[str]] = defaultdict(list)
        for dependency in (dependency for group in groups for dependency in group.listed):
            if dependency.cache is not None and dependency.root_id is not None:
                wanted[dependency.cache].append(dependency.root_id)
        states = self._states(connection, wanted)
        return [
            replace(
                group,
                listed=[
                    replace(dependency, state=states.get((dependency.cache, dependency.root_id)))
                    for dependency in group.listed
                ],
            )
            for group in groups
        ]

    def _states(self, connection: Connection, wanted: Mapping[str, Sequence[str]]) -> dict[Any, CacheState]:
        c, d = caches.c, dues.c
        by_name = {derivation.name: derivation for derivation in self.explainer.matcher.registry}
        states: dict[Any, CacheState] = {}
        for name, roots in wanted.items():
            derivation = by_name[name]
            if derivation.plan is not None:
                keys = [derivation.key_of(root) for root in roots]
                lines = self.explainer.in_sets.lines(connection, derivation, derivation.plan, keys)
                states |= {(name, line.root_id): line.state for line in lines.values()}
            query = select(c.root, c.error, c.computed, d.since, d.claim).outerjoin(dues, d.cache == c.id)
            rows = connection.execute(query.where(c.derivation == derivation.id, c.root.in_(roots)))
            states |= {(name, row.root): state_in(row) for row in rows}
        return states


def _by_name(readers: Iterable[Reader]) -> dict[str, list[str]]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for reader in readers:
        by_name[reader.name].append(reader.root_id)
    return by_name


def _both(left: Dependency, right: Dependency) -> Dependency:
    """Merge two reads of one object."""
    members = dict.fromkeys((*left.members, *right.members))
    return replace(left, members=list(members), cache=left.cache or right.cache)


def _question(name: str, equal: Sequence[str], key: int | None, members: Sequence[str]) -> Dependency:
    if not equal:
        return Dependency(f"all {name}", None, members)
    value = str(key) if key is not None and len(equal) == 1 else "…"
    conditions = ", ".join(f"{member} = {value}" for member in equal)
    return Dependency(f"{name} where {conditions}", None, members)

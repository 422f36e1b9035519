"""Find the caches that read something: directly, and through the values that are made of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.derived.explain.member_keys import MemberKeys
from afterwork.derived.explain.readers_in_sets import CacheOf, SetReaders
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.registered_derivation import RegisteredDerivation

MAX_READERS = 10_000
"""Most caches that `impact` follows."""


@dataclass(frozen=True)
class Reader:
    """A cache that reads something: `name` of the object `root_id`, directly, or `through` another cache."""

    name: str
    root_id: str
    through: str | None


@dataclass(frozen=True)
class Readers:
    """Finds readers in one database. Changes nothing."""

    matcher: Matcher

    def of(
        self, connection: Connection, derivation: RegisteredDerivation, roots: Sequence[str], limit: int
    ) -> list[Reader]:
        """Return up to `limit` caches that directly read what caches of a derivation write."""
        read_keys = [key for root in roots for key in self._keys.of_result(derivation, root)]
        known = self.matcher.registry.by_id
        readers = list(self._with_manifests(connection, read_keys, limit))
        for root in roots:
            readers += self._in_sets.of_result(connection, derivation, root, limit)
        unique = dict.fromkeys((number, root) for number, root in readers if number in known)
        return [Reader(known[number].name, root, None) for number, root in unique][:limit]

    def impact(self, connection: Connection, obj: object, member: str, limit: int = MAX_READERS) -> list[Reader]:
        """Return up to `limit` caches that a change of a member makes stale, also through others, nearest first."""
        readers: dict[CacheOf, Reader] = {}
        name = _without_class(obj, member)
        first = [*self._with_manifests(connection, self._keys.of_member(obj, name), limit)]
        first += self._in_sets.of_member(connection, obj, name, limit)
        todo: list[tuple[CacheOf, str | None]] = [(reader, None) for reader in first]
        while todo and len(readers) < limit:
            (derivation, root), through = todo.pop(0)
            known = self.matcher.registry.by_id.get(derivation)
            if (derivation, root) in readers or known is None:
                continue
            readers[derivation, root] = Reader(known.name, root, through)
            onward = [*self._with_manifests(connection, self._keys.of_result(known, root), limit)]
            onward += self._in_sets.of_result(connection, known, root, limit)
            todo += [(reader, f"{known.name} of {root}") for reader in onward]
        return list(readers.values())

    @property
    def _keys(self) -> MemberKeys:
        return MemberKeys(self.matcher.patterns, self.matcher.dialect)

    @property
    def _in_sets(self) -> SetReaders:
        return SetReaders(self.matcher)

    def _with_manifests(self, connection: Connection, read_keys: Iterable[int], limit: int) -> Iterator[CacheOf]:
        keys = list(read_keys)
        readers = self.matcher.manifest_store.readers(connection, keys, limit) if keys else []
        for _, derivation, root in readers:
            yield derivation, root


def _without_class(obj: object, member: str) -> str:
    """Return the name of a member that may be given as `Class.member`."""
    owner, _, name = member.rpartition(".")
    return name if owner in {cls.__name__ for cls in type(obj).__mro__} else member

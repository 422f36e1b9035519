"""The read keys of members: as whoever has read them has them in its manifest."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Table
from sqlalchemy import inspect as state_of
from sqlalchemy.orm import ColumnProperty, CompositeProperty, InstanceState, RelationshipDirection, RelationshipProperty

from afterwork.derived.manifest.read_patterns import ReadPatterns
from afterwork.derived.manifest.reads import read_key
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.errors import BadRequest, shown
from afterwork.model.known_names import instead_of
from afterwork.store.journal.tracked_table import TrackedTable, joined
from afterwork.store.journal.values import BAD_VALUE, key_of, text_of


@dataclass(frozen=True)
class MemberKeys:
    """Finds the read keys that runs would record for a member, of all kinds of reads that are known."""

    patterns: ReadPatterns
    dialect: Dialect

    def of_result(self, derivation: RegisteredDerivation, root: str) -> Iterator[int]:
        """Yield the read keys of the value that a cache writes."""
        if derivation.target_column is None or derivation.target is None:
            return
        table, column = derivation.target_column
        key = _key_of(derivation.target, derivation.key_of(root), self.dialect)
        if key is not None:
            yield from self._of_row(table, column, key)

    def of_member(self, obj: object, member: str) -> Iterator[int]:
        """Yield the read keys of a member of an object. Raises `BadRequest` for one that has none."""
        state: InstanceState[Any] = state_of(obj)
        prop = state.mapper.attrs.get(member)
        if prop is None:
            known = instead_of(member, state.mapper.attrs.keys(), verb="It has", listed_by="model")
            raise BadRequest(f"{state.mapper.class_.__name__} has no member {shown(member)}. {known}")
        if isinstance(prop, RelationshipProperty):
            if prop.direction is not RelationshipDirection.MANYTOONE:
                yield from self._of_relationship(state, prop)
                return
            columns: Iterable[Any] = prop.local_columns
        elif isinstance(prop, ColumnProperty | CompositeProperty):
            columns = prop.columns
        else:
            raise BadRequest(f"{state.mapper.class_.__name__}.{member} has no columns. Ask for what it is made of.")
        for column in columns:
            yield from self._of_column(state, column)

    def _of_relationship(self, state: InstanceState[Any], prop: RelationshipProperty[Any]) -> Iterator[int]:
        """Yield the read keys of a relationship: columns of other rows, or of rows between, hold the object's key."""
        links = {far: near for near, far in prop.synchronize_pairs}
        tables = {table for far in links if (table := self.patterns.tables.of(far.table)) is not None}
        for table in tables:
            own = {far.name: near for far, near in links.items() if far.table is table.table}
            yield from self._of_queries(state, table, own, table.mask(list(own)))

    def _of_column(self, state: InstanceState[Any], column: Any) -> Iterator[int]:
        table = self.patterns.tables.of(getattr(column, "table", None))
        if table is None or not isinstance(column.table, Table):
            return
        key = _key_of(table, tuple(state.mapper.primary_key_from_instance(state.obj())), self.dialect)
        mask = table.mask([column.name])
        if key is not None:
            yield from self._of_row(table.id, mask, key)
        yield from self._of_queries(state, table, {own.name: own for own in table.table.columns}, mask)

    def _of_row(self, table: int, mask: int, key: int | str) -> Iterator[int]:
        for number, row in self.patterns.row_reads(table):
            if row.columns & mask:
                yield read_key(number, key)

    def _of_queries(
        self, state: InstanceState[Any], table: TrackedTable, own: Mapping[str, Any], mask: int
    ) -> Iterator[int]:
        """Yield the read keys of queries about `mask`; `own` are the columns of the object with the same values."""
        for number, query in self.patterns.query_reads(table.id):
            if self.patterns.mask(query) & mask and own.keys() >= set(query.equal):
                with suppress(*BAD_VALUE):
                    texts = [self._text(state, table, name, own[name]) for name in query.equal]
                    yield read_key(number, joined(texts))

    def _text(self, state: InstanceState[Any], table: TrackedTable, name: str, member: Any) -> str | None:
        value = getattr(state.obj(), state.mapper.get_property_by_column(member).key)
        return text_of(table, name, value, self.dialect)


def _key_of(table: TrackedTable, identity: tuple[Any, ...], dialect: Dialect) -> int | str | None:
    """Return the journal's key of a row; None if it is unknown, so that all its readers must be cautious."""
    with suppress(*BAD_VALUE):
        return key_of(table, identity, dialect)
    return None

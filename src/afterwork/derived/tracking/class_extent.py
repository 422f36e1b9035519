"""The objects of a class, by what is in the database, whatever sessions are made to see of it."""

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Dialect, Select, select
from sqlalchemy.orm import Mapper

from afterwork.derived.tracking.mapped_tables import discriminator_columns, key_positions
from afterwork.model.key import is_one_of
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables
from afterwork.store.journal.values import identity_of, key_of

Identity = tuple[Any, ...]
"""A primary key, as the attributes have it."""


@dataclass(frozen=True, eq=False)
class ClassExtent:
    """The objects of a class. Each has a row in all of `tables`; the columns that say of which class it is are a set
    for each table."""

    mapper: Mapper[Any]
    tracked_tables: TrackedTables
    _places: dict[TrackedTable, tuple[int, ...] | None] = field(default_factory=dict)

    @cached_property
    def tables(self) -> Mapping[TrackedTable, int]:
        """The watched ones of its tables, with the columns that say of which class an object is."""
        kinds = list(discriminator_columns(self.mapper))
        found = {watch: table for table in self.mapper.tables if (watch := self.tracked_tables.of(table)) is not None}
        return {watch: watch.mask(c.name for c in kinds if c.table is table) for watch, table in found.items()}

    @cached_property
    def discriminator_tables(self) -> Set[int]:
        """The watches of other tables that say of which class an object is."""
        others = {column.table for column in discriminator_columns(self.mapper)} - set(self.mapper.tables)
        return {watch.id for table in others if (watch := self.tracked_tables.of(table)) is not None}

    @property
    def are_all_rows(self) -> bool:
        """Whether each row of the one table is an object of the class."""
        return self.mapper.inherits is None or self.mapper.concrete

    @cached_property
    def keys(self) -> Select[Any]:
        """The query for the primary keys of all."""
        return select(*self.mapper.primary_key).select_from(self.mapper.persist_selectable).where(*self._conditions)

    @property
    def _conditions(self) -> Iterator[ColumnElement[bool]]:
        mapper = self.mapper
        if not self.are_all_rows and mapper.polymorphic_on is not None:
            kinds = [one.polymorphic_identity for one in mapper.self_and_descendants]
            yield mapper.polymorphic_on.in_([kind for kind in kinds if kind is not None])

    def existing(self, connection: Connection, keys: Collection[Identity]) -> set[Identity]:
        """Those of some primary keys by which there is an object now."""
        if not keys:
            return set()
        found = self.keys.where(is_one_of(list(self.mapper.primary_key), keys))
        dialect = connection.dialect
        there = {self._written(tuple(row), dialect) for row in connection.execute(found)}
        return {key for key in keys if self._written(key, dialect) in there}

    def _written(self, key: Identity, dialect: Dialect) -> object:
        """A primary key as the journal has it, whoever has written it how."""
        watch = self.tracked_tables.of(self.mapper.local_table)
        places = None if watch is None else self._places_in(watch)
        if watch is None or places is None:
            return key
        try:
            return key_of(watch, [key[place] for place in places], dialect)
        except Exception:  # whatever a type raises
            return key

    def identity(self, watch: TrackedTable, key: int | str, dialect: Dialect) -> Identity:
        """The primary key of the object whose row in a table has this key in the journal. Raises whatever the types of
        the model raise, and `LookupError` for a table whose key is another one."""
        places = self._places_in(watch)
        if places is None and watch.table is self.mapper.local_table:
            return identity_of(watch, key, dialect)
        if places is None or len(places) != len(self.mapper.primary_key):
            raise LookupError("The key of this table is not that of the class.")
        values = identity_of(watch, key, dialect)
        return tuple(values[places.index(place)] for place in range(len(values)))

    def key_columns(self, watch: TrackedTable) -> Sequence[Column[Any]]:
        """The key of one of its tables, in the order in which the primary key of the class has its parts."""
        places = self._places_in(watch)
        if places is None:
            return watch.key
        return [watch.key[places.index(place)] for place in sorted(places)]

    def _places_in(self, watch: TrackedTable) -> tuple[int, ...] | None:
        if watch not in self._places:
            self._places[watch] = key_positions(self.mapper, watch)
        return self._places[watch]

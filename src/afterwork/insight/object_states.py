"""Where the objects of a class stand in a machine: how many in each state, which, and since when. None of it looks at
more than some thousands of rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select, tuple_
from sqlalchemy.orm import Mapper

from afterwork.insight.page import MAX_ROWS_READ, PAGE_SIZE, ListPage, page
from afterwork.model.external_id import ExternalId, parse
from afterwork.model.machine.declaration import Machine
from afterwork.store import tables
from afterwork.store.bounded_count import BOUND, Count, counted
from afterwork.store.database import Database

MAX_STATES = 200
"""Different values of a column that are counted."""


@dataclass(frozen=True)
class ObjectInState:
    """One object in a state; since when it is there, as far as a history tells."""

    root_id: str
    since: datetime | None


@dataclass(frozen=True)
class ObjectsByState:
    """The objects of a class that has a machine."""

    database: Database
    connection: Connection
    mapper: Mapper[Any]
    machine: Machine

    @property
    def column(self) -> Column[Any]:
        """The column that has the state."""
        found = self.mapper.columns[self.machine.member_of(self.mapper)]
        assert isinstance(found, Column)
        return found

    @cached_property
    def is_indexed(self) -> bool:
        """Whether the objects of a state can be found without looking at others."""
        return self.column.name in self.database.found_by_index(self.connection, self.column.table)

    @property
    def values(self) -> Sequence[Any]:
        """What the innermost states of the machine are written as."""
        return [state.value for state in self.machine.chart.states_map.values() if state.is_atomic]

    def counts(self) -> Mapping[Any, Count]:
        """How many objects are in each state, by what is stored. Without an index, of many objects only the newest are
        counted."""
        if self.is_indexed:
            return {stored: counted(self.connection, self._all_in(stored)) for stored in self._stored()}
        newest = select(self.column.label("state")).select_from(self.mapper)
        some = newest.order_by(*(key.desc() for key in self.mapper.primary_key)).limit(BOUND + 1).subquery()
        rows = self.connection.execute(select(some.c.state, func.count()).group_by(some.c.state)).all()
        more = sum(number for _, number in rows) > BOUND
        return {stored: Count(number, more) for stored, number in rows}

    def all_counts(self) -> Mapping[Any, int]:
        """The same, however long it takes: all objects are looked at."""
        rows = select(self.column, func.count()).select_from(self.mapper).group_by(self.column)
        return {row[0]: row[1] for row in self.connection.execute(rows)}

    def oldest(self, stored: Any) -> ObjectInState | None:
        """The object that has been in a state for longest, where a history is kept, and where the objects in that state
        are no more than can be looked at."""
        found = self._by_age(stored)
        return found[0] if found and found[0].since is not None else None

    def page_in(self, stored: Any, after: str | None) -> ListPage[ObjectInState]:
        """A page of the objects in a state: those first that have been there for longest, where that can be told; else
        by their keys. `after` is the last one of the page before."""
        aged = self._by_age(stored)
        if aged is None:
            rows = self.connection.execute(self._from(after)).all()
            return page(
                rows,
                lambda row: bool(row.state == stored),
                self._root,
                self._undated,
            )
        names = [one.root_id for one in aged]
        begin = names.index(after) + 1 if after in names else 0
        some = aged[begin : begin + PAGE_SIZE]
        return ListPage(some, some[-1].root_id if len(aged) > begin + PAGE_SIZE else None)

    def _by_age(self, stored: Any) -> Sequence[ObjectInState] | None:
        """The objects in a state, those first that have been there for longest; None if they are too many."""
        if not self.is_indexed or stored is None:
            return None
        rows = self.connection.execute(self._all_in(stored).limit(MAX_ROWS_READ + 1)).all()
        if len(rows) > MAX_ROWS_READ:
            return None
        found = [ObjectInState(self._root(row), None) for row in sorted(rows, key=self._key)]
        since = self._since([one.root_id for one in found], stored) if self.machine.has_history else {}
        found = [replace(one, since=since.get(one.root_id)) for one in found]
        return sorted(found, key=lambda one: (one.since is None, one.since))

    def _since(self, roots: Sequence[str], stored: Any) -> dict[str, datetime]:
        """When objects came into a state, as far as it is still the last one that was written down."""
        t = tables.transition.c
        last = select(func.max(t.id)).where(t.machine == self.machine.name, t.root_id.in_(roots)).group_by(t.root_id)
        rows = select(t.root_id, t.at).where(t.id.in_(last), t.target == str(stored))
        return {row.root_id: row.at for row in self.connection.execute(rows)}

    def _all_in(self, stored: Any) -> Select[Any]:
        return self._rows().where(self.column.is_(None) if stored is None else self.column == stored)

    def _rows(self) -> Select[Any]:
        kind = () if self.mapper.polymorphic_on is None else (self.mapper.polymorphic_on.label("kind"),)
        return select(*self.mapper.primary_key, *kind, self.column.label("state")).select_from(self.mapper)

    def _from(self, after: str | None) -> Select[Any]:
        """The next rows by key, whatever state they are in."""
        keys = self.mapper.primary_key
        rows = self._rows().order_by(*keys).limit(MAX_ROWS_READ + 1)
        if after is None:
            return rows
        classes = {one.class_.__name__: one for one in self.mapper.self_and_descendants}
        last = parse(after, classes).key
        return rows.where(tuple_(*keys) > tuple_(*last)) if len(keys) > 1 else rows.where(keys[0] > last[0])

    def _root(self, row: Row[Any]) -> str:
        mapper = self.mapper
        if mapper.polymorphic_on is not None:
            mapper = mapper.polymorphic_map.get(row.kind, mapper)
        return str(ExternalId(mapper, self._key(row)))

    def _undated(self, row: Row[Any]) -> ObjectInState:
        return ObjectInState(self._root(row), None)

    def _key(self, row: Row[Any]) -> tuple[Any, ...]:
        return tuple(row)[: len(self.mapper.primary_key)]

    def _stored(self) -> list[Any]:
        """What stands in the column, each once. Each is found by the one before, so no rows are looked through."""
        column, table = self.column, self.column.table
        found: list[Any] = []
        if self.connection.execute(select(column).where(column.is_(None)).limit(1)).first():
            found.append(None)
        step = select(func.min(column)).select_from(table)
        last = self.connection.execute(step).scalar()
        while last is not None and len(found) < MAX_STATES:
            found.append(last)
            last = self.connection.execute(step.where(column > last)).scalar()
        return found

"""The objects of a class by the state of their machine: counts, and pages of objects.

Nothing but `all_counts` reads more than some thousands of rows.
"""

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
"""The most distinct values of a column that are counted."""


@dataclass(frozen=True)
class ObjectInState:
    """An object in a state, and since when, if a history tells."""

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
        column = self.mapper.columns[self.machine.member_of(self.mapper)]
        assert isinstance(column, Column)
        return column

    @cached_property
    def is_indexed(self) -> bool:
        """Return whether an index finds the objects of a state."""
        return self.column.name in self.database.found_by_index(self.connection, self.column.table)

    @property
    def values(self) -> Sequence[Any]:
        """Return the stored values of the innermost states."""
        return [state.value for state in self.machine.chart.states_map.values() if state.is_atomic]

    def counts(self) -> Mapping[Any, Count]:
        """Count the objects of each stored state. Without an index, only the newest of many objects are counted."""
        if self.is_indexed:
            return {stored: counted(self.connection, self._all_in(stored)) for stored in self._stored()}
        newest = select(self.column.label("state")).select_from(self.mapper)
        bounded = newest.order_by(*(key.desc() for key in self.mapper.primary_key)).limit(BOUND + 1).subquery()
        rows = self.connection.execute(select(bounded.c.state, func.count()).group_by(bounded.c.state)).all()
        more = sum(number for _, number in rows) > BOUND
        return {stored: Count(number, more) for stored, number in rows}

    def all_counts(self) -> Mapping[Any, int]:
        """Count all objects of each stored state, reading every row."""
        rows = select(self.column, func.count()).select_from(self.mapper).group_by(self.column)
        return {row[0]: row[1] for row in self.connection.execute(rows)}

    def oldest(self, stored: Any) -> ObjectInState | None:
        """Return the object that has been in a state longest, given a history and not too many objects."""
        aged = self._by_age(stored)
        return aged[0] if aged and aged[0].since is not None else None

    def page_in(self, stored: Any, after: str | None) -> ListPage[ObjectInState]:
        """Return a page of the objects in a state, in the order of entry if known, otherwise by key.

        `after` is the last object of the previous page.
        """
        aged = self._by_age(stored)
        if aged is None:
            rows = self.connection.execute(self._from(after)).all()
            return page(
                rows,
                lambda row: bool(row.state == stored),
                self._root,
                self._undated,
            )
        roots = [obj.root_id for obj in aged]
        begin = roots.index(after) + 1 if after in roots else 0
        items = aged[begin : begin + PAGE_SIZE]
        return ListPage(items, items[-1].root_id if len(aged) > begin + PAGE_SIZE else None)

    def _by_age(self, stored: Any) -> Sequence[ObjectInState] | None:
        """Return the objects in a state, those first that entered it first; None if they are too many."""
        if not self.is_indexed or stored is None:
            return None
        rows = self.connection.execute(self._all_in(stored).limit(MAX_ROWS_READ + 1)).all()
        if len(rows) > MAX_ROWS_READ:
            return None
        objects = [self._undated(row) for row in sorted(rows, key=self._key)]
        since = self._since([obj.root_id for obj in objects], stored) if self.machine.has_history else {}
        dated = [replace(obj, since=since.get(obj.root_id)) for obj in objects]
        return sorted(dated, key=lambda obj: (obj.since is None, obj.since))

    def _since(self, roots: Sequence[str], stored: Any) -> dict[str, datetime]:
        """Return when objects entered a state, if that is their last recorded transition."""
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
        """Select the next rows by key, in any state."""
        keys = self.mapper.primary_key
        rows = self._rows().order_by(*keys).limit(MAX_ROWS_READ + 1)
        if after is None:
            return rows
        classes = {mapper.class_.__name__: mapper for mapper in self.mapper.self_and_descendants}
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
        """Return the distinct values of the column, each found by the one before, so that no rows are scanned."""
        column, table = self.column, self.column.table
        values: list[Any] = []
        if self.connection.execute(select(column).where(column.is_(None)).limit(1)).first():
            values.append(None)
        step = select(func.min(column)).select_from(table)
        last = self.connection.execute(step).scalar()
        while last is not None and len(values) < MAX_STATES:
            values.append(last)
            last = self.connection.execute(step.where(column > last)).scalar()
        return values

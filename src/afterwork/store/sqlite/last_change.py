"""Refresh derived members on SQLite that keep when and why a value was last written."""

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, func, literal, select, union_all

from afterwork.model.utc_datetime import UtcDateTime
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.journal import tables as own
from afterwork.store.journal.last_change import NO_CHANGE, forgotten, key_text, noted, route_of
from afterwork.store.journal.refresh import RefreshPlan
from afterwork.store.sqlite.refresh import SQLiteRefresh, note_once


class SQLiteKeepingRefresh(SQLiteRefresh):
    """Refreshes one derived member and notes its last changes."""

    def note(self, connection: Connection, limit: int, now: datetime) -> None:
        self._noted.execute(connection, {"now": now})
        self._forgotten.execute(connection, {"limit": limit})

    @property
    def via_columns(self) -> Sequence[ColumnElement[Any]]:
        return (route_of(NO_CHANGE),)

    @cached_property
    def gathered(self) -> DirectStatement:
        """The statement that touches objects, each with the first route that leads to it."""
        queries = (query.add_columns(route_of(way.route).label("via")) for way, query in self.ways_on)
        ways = union_all(*queries).subquery("ways")
        *keys, via = ways.c
        objects = select(literal(self.plan.own), *keys, func.min(via)).group_by(*keys)
        return DirectStatement(note_once(["route", *self._values, "via"], objects))

    @cached_property
    def _noted(self) -> DirectStatement:
        plan, new = self.plan, self.new
        keys = [new.c[f"k{n}"] for n, _ in enumerate(plan.key)]
        now = bindparam("now", type_=UtcDateTime())
        rows = select(route_of(plan.own), key_text(keys, "sqlite"), now, self._via(keys).scalar_subquery())
        return DirectStatement(noted(rows.where(*self.is_written), "sqlite"))

    def _via(self, keys: Sequence[ColumnElement[Any]]) -> Select[Any]:
        """Return the query for the first route by which a change has touched an object."""
        touches = own.touch.alias("its_touches")
        is_its = (touches.c[name] == key for name, key in zip(self._values, keys, strict=True))
        via = func.nullif(func.coalesce(touches.c.via, self.plan.own), NO_CHANGE)
        return select(func.min(via)).where(touches.c.route == self.plan.own, *is_its)

    @cached_property
    def _forgotten(self) -> DirectStatement:
        """The statement that forgets the last changes of objects that are touched but not there."""
        values = [self.first.c[name] for name in self._values]
        is_there = select(literal(1)).where(*(part == value for part, value in zip(self.plan.key, values, strict=True)))
        return DirectStatement(forgotten(self.plan.own, select(key_text(values, "sqlite")).where(~is_there.exists())))

    @property
    def _values(self) -> list[str]:
        return [f"v{n}" for n, _ in enumerate(self.plan.key, 1)]


def sqlite_refresh(plan: RefreshPlan) -> SQLiteRefresh:
    """Return the refresh of a plan."""
    return SQLiteKeepingRefresh(plan) if plan.keeps_last_change else SQLiteRefresh(plan)

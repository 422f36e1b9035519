"""Refresh derived members on PostgreSQL that keep when and why a value was last written, in the same statement."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CTE, ColumnElement, FromClause, Select, and_, cast, func, literal_column, select, union_all

from afterwork.store.journal.last_change import NO_CHANGE, NO_ROUTE, forgotten, key_text, noted, route_of
from afterwork.store.journal.refresh import RefreshPlan, Way
from afterwork.store.postgresql.refresh_parts import RefreshParts


class KeepingParts(RefreshParts):
    """The parts for a derived member whose last changes are noted."""

    def roots(self, taken: CTE, *more: Select[Any], but: int | None = None) -> CTE:
        """Return the part with the keys of the objects, each once, and the first route that leads there."""
        selects = [query.add_columns(NO_ROUTE.label("via")) for query in more]
        for place, way in enumerate(self.plan.ways):
            if way.route != but:
                touches = taken.alias(f"touches_{place}")  # several ways may begin with the touches of one route
                query = way.roots(touches.c).where(touches.c.route == way.route)
                key = (column.label(f"k{n}") for n, column in enumerate(query.selected_columns))
                selects.append(query.with_only_columns(*key, self._via(way, touches).label("via")))
        ways = union_all(*selects).subquery("ways")
        keys = [ways.c[name] for name in self._names]
        return select(*keys, func.min(ways.c.via).label("via")).group_by(*keys).cte("roots")

    def _via(self, way: Way, touches: FromClause) -> ColumnElement[Any]:
        """Return the route by which a touch came; null where no change made it."""
        if way.route != self.plan.own:
            return route_of(way.route)
        return func.nullif(func.coalesce(touches.c.via, way.route), NO_CHANGE)

    def parameters(self, limit: int, now: datetime) -> dict[str, Any]:
        return {"limit": limit, "now": now}

    def carried(self, roots: CTE) -> Sequence[ColumnElement[Any]]:
        return (roots.c.via,)

    def via_columns(self, objects: CTE | None) -> Sequence[ColumnElement[Any]]:
        return (route_of(NO_CHANGE) if objects is None else func.coalesce(objects.c.via, NO_CHANGE),)

    def written(self) -> Sequence[ColumnElement[Any]]:
        return [self.plan.bare.c[part.name].label(name) for part, name in zip(self.plan.key, self._names, strict=True)]

    @property
    def unrouted(self) -> Sequence[ColumnElement[Any]]:
        return (NO_ROUTE.label("via"),)

    def beside(self, roots: CTE, changed: CTE, now: ColumnElement[Any]) -> Sequence[CTE]:
        """Return the part that notes last changes."""
        plan = self.plan
        on = and_(*(changed.c[name] == roots.c[name] for name in self._names))
        key = key_text([roots.c[name] for name in self._names], "postgresql")
        rows = select(route_of(plan.own), key, now, roots.c.via).join_from(changed, roots, on)
        return [noted(rows, "postgresql").cte("noted")]

    def forgotten(self, taken: CTE) -> Sequence[CTE]:
        """Return the part that forgets the last changes of objects that are gone."""
        return [forgotten(self.plan.own, self._gone(taken)).cte("forgotten")]

    def _gone(self, taken: CTE) -> Select[Any]:
        """Return the query for the keys of objects whose own rows have changed and are not there."""
        plan, values = self.plan, [taken.c[f"v{n}"] for n, _ in enumerate(self.plan.key, 1)]
        key = [cast(value, kind) for value, kind in zip(values, plan.key_types, strict=True)]
        present = plan.table.alias("present")
        is_same = (present.c[part.key] == value for part, value in zip(plan.key, key, strict=True))
        is_there = select(literal_column("1")).select_from(present).where(*is_same).exists()
        return select(key_text(key, "postgresql")).where(taken.c.route == plan.own, ~taken.c.whole, ~is_there)

    @property
    def _names(self) -> list[str]:
        return [f"k{n}" for n, _ in enumerate(self.plan.key)]


def refresh_parts(plan: RefreshPlan) -> RefreshParts:
    """Return the parts of the statements for a plan."""
    return KeepingParts(plan) if plan.keeps_last_change else RefreshParts(plan)

"""The parts of the statements that refresh a derived member on PostgreSQL, as common table expressions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    Column,
    ColumnElement,
    Float,
    Insert,
    Numeric,
    Select,
    String,
    Text,
    and_,
    cast,
    collate,
    insert,
    literal,
    literal_column,
    select,
    tuple_,
    union,
    update,
)

from afterwork.store.journal import tables as own
from afterwork.store.journal.refresh import RefreshPlan


def as_kept(value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[Any]:
    is_rounded = isinstance(member.type, Numeric) and member.type.scale is not None
    return cast(value, member.type) if is_rounded else value


def differs(stored: ColumnElement[Any], value: ColumnElement[Any], member: Column[Any]) -> ColumnElement[bool]:
    match member.type:
        case Numeric(scale=None) | Float():  # 1.5 and 1.50 are equal, as are zero and minus zero
            return cast(stored, Text).is_distinct_from(cast(value, Text))
        case String():
            return collate(stored, "C").is_distinct_from(collate(value, "C"))
        case _:
            return stored.is_distinct_from(value)


class RefreshParts:
    """The parts of the statements for one derived member."""

    def __init__(self, plan: RefreshPlan) -> None:
        self.plan = plan

    def roots(self, taken: CTE, *more: Select[Any], but: int | None = None) -> CTE:
        """Return the part with the keys of the objects that touches lead to, and more of them."""
        selects = list(more)
        for place, way in enumerate(self.plan.ways):
            if way.route == but:
                continue
            touches = taken.alias(f"touches_{place}")  # several ways may begin with the touches of one route
            query = way.roots(touches.c).where(touches.c.route == way.route)
            selects.append(query.with_only_columns(*(c.label(f"k{n}") for n, c in enumerate(query.selected_columns))))
        return union(*selects).cte("roots")

    def new(self, picked: CTE) -> CTE:
        """Return the part with the values of the picked objects."""
        plan = self.plan
        keys = [part.label(f"k{n}") for n, part in enumerate(plan.key)]
        on = and_(*(part == picked.c[part.key] for part in plan.key))
        value: Any = plan.value
        return (
            select(*keys, as_kept(value, plan.member).label("value")).join_from(plan.table, picked, on).cte("computed")
        )

    def changed(self, new: CTE) -> CTE:
        """Return the part that writes new values where they differ from the stored ones."""
        plan = self.plan
        stored = plan.bare.c[plan.member.name]
        is_new = differs(stored, new.c.value, plan.member)
        same = (plan.bare.c[part.name] == new.c[f"k{n}"] for n, part in enumerate(plan.key))
        fits = [] if plan.member.nullable else [new.c.value.is_not(None)]
        written = update(plan.bare).where(*same, is_new, *fits).values({plan.member.name: new.c.value})
        return written.returning(*self.written()).cte("changed")

    def rest(self, here: CTE, picked: CTE) -> CTE:
        """Return the part that touches those objects again that were not picked."""
        plan = self.plan
        # NOT IN is hashed. For NOT EXISTS, the planner, which expects few, may compare each object with each.
        keys = select(*(picked.c[part.key] for part in plan.key))
        is_picked = tuple_(*(here.c[part.key] for part in plan.key)).in_(keys)
        values = [cast(here.c[part.key], Text) for part in plan.key]
        rest = self.touched(values, self.via_columns(here), ~is_picked)
        return rest.returning(own.touch.c.route).cte("rest")

    def touched(
        self, key: Sequence[ColumnElement[Any]], via: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]
    ) -> Insert:
        """Return the statement that touches objects with these keys as texts."""
        names = ["route", *(f"v{n}" for n, _ in enumerate(key, 1)), *("via" for _ in via)]
        return insert(own.touch).from_select(names, select(literal(self.plan.own), *key, *via).where(*where))

    # What follows is for those that keep more than the value.

    def parameters(self, limit: int, now: datetime) -> dict[str, Any]:
        """Return the parameters of a step."""
        return {"limit": limit}

    def carried(self, roots: CTE) -> Sequence[ColumnElement[Any]]:
        """Return the columns of the roots that stay with the objects, beside their keys."""
        return ()

    def via_columns(self, objects: CTE | None) -> Sequence[ColumnElement[Any]]:
        """Return the `via` of objects that are touched again; () if it is not kept. Without any, all are in turn."""
        return ()

    def written(self) -> Sequence[ColumnElement[Any]]:
        """Return the columns that writing a value returns."""
        return (literal_column("1").label("one"),)

    @property
    def unrouted(self) -> Sequence[ColumnElement[Any]]:
        """The columns carried with objects to which no touch has led."""
        return ()

    def beside(self, roots: CTE, changed: CTE, now: ColumnElement[Any]) -> Sequence[CTE]:
        """Return the parts that write something beside the values."""
        return ()

    def forgotten(self, taken: CTE) -> Sequence[CTE]:
        """Return the parts that forget what was kept of objects that are gone."""
        return ()

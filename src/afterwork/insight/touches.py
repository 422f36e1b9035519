"""Touches that wait, as counts: of the objects to which they lead, and of the changes that made them."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, union

from afterwork.derived.explain.in_sets import cause_of_touch
from afterwork.insight.member_names import MemberNames
from afterwork.store.bounded_count import BOUND, Count, counted
from afterwork.store.journal.refresh import RefreshPlan, is_of
from afterwork.store.journal.tables import touch as touches

SAMPLE_SIZE = 300
"""The most causes of stale caches, and of last runs, that are read."""


@dataclass(frozen=True)
class CauseCount:
    """A cause, and how often it occurs in the sample."""

    what: str
    times: int


def count_touched(connection: Connection, plan: RefreshPlan, total: Count) -> Count:
    """Count the objects to which touches lead, of `total`. Neither are more touches read than are counted."""
    whole = select(touches.c.route).where(is_of(plan.routes), touches.c.whole).limit(1)
    if connection.execute(whole).first() is not None:
        return total
    objects = []
    for way in plan.ways:
        first = select(touches).where(touches.c.route == way.route).limit(BOUND + 1).subquery(f"touches_{way.route}")
        objects.append(select(way.roots(first.c).limit(BOUND + 1).subquery(f"roots_{way.route}")))
    touched = union(*objects).subquery("touched")
    return counted(connection, select(*touched.c))


def touching(connection: Connection, naming: MemberNames, plan: RefreshPlan) -> list[CauseCount]:
    """Return which changes made the first touches that wait, most frequent first."""
    first = select(touches.c.route).where(is_of(plan.routes)).limit(SAMPLE_SIZE).subquery("first")
    by_route = dict(map(tuple, connection.execute(select(first.c.route, func.count()).group_by(first.c.route))))
    counts: Counter[str] = Counter()
    for way in plan.ways:
        for what in naming.causes(cause_of_touch(plan, way)):
            counts[what] += by_route.get(way.route, 0)
    return [CauseCount(what, times) for what, times in counts.most_common() if times]

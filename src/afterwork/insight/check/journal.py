"""Checks of the journal: changes that wait to be matched."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Table, func, select

from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.journal import tables as own
from afterwork.store.journal.change import moment_of


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the number of changes that wait, and of those that are kept for running calculations."""
    if scene.model.derivations:
        yield _waiting(scene)
        yield _kept(scene)


def _waiting(scene: CheckContext) -> Finding:
    count, most = _count(scene, own.journal), scene.limits.waiting_changes
    age = _age(scene)
    is_old = age > scene.limits.waiting_for
    since = f", the first for {age.total_seconds() / 60:,.0f} minutes" if is_old else ""
    waiting = f"{count:,}" if count <= most else f"more than {most:,}"
    advice = (
        "A server matches changes within milliseconds. See whether one is running and what it works on: "
        "afterwork status MODULE:APP --database URL"
    )
    return Finding(
        f"changes that wait to be matched: {waiting}{since}", count <= most and not is_old, advice, is_note=True
    )


def _age(scene: CheckContext) -> timedelta:
    """Return the age of an early change. They are matched in their order, so finding one needs no index."""
    changed_at = scene.connection.execute(select(own.journal.c.changed_at).limit(1)).scalar()
    if changed_at is None:
        return timedelta(0)
    return scene.now - moment_of(changed_at)


def _kept(scene: CheckContext) -> Finding:
    count = _count(scene, own.recent)
    advice = "A running calculation needs them. See which cache is slow: afterwork caches MODULE:APP --database URL"
    is_right = count <= scene.limits.waiting_changes
    return Finding(f"changes that are kept for calculations: {count:,}", is_right, advice, is_note=True)


def _count(scene: CheckContext, table: Table) -> int:
    """Return the number of rows of a table, or the limit plus one."""
    rows = select(1).select_from(table).limit(scene.limits.waiting_changes + 1).subquery()
    return scene.connection.execute(select(func.count()).select_from(rows)).scalar_one()

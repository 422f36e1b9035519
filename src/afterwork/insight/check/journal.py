"""Changes that were written down and wait to be taken."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Table, func, select

from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.journal import tables as own
from afterwork.store.journal.change import moment_of


def look(scene: CheckContext) -> Iterator[Finding]:
    """How many changes nobody has taken yet, and how many are kept aside."""
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
        "A server takes changes within milliseconds. See that one is there and what it works on: "
        "afterwork status MODULE:APP --database URL"
    )
    return Finding(
        f"changes that wait to be taken: {waiting}{since}", count <= most and not is_old, advice, is_note=True
    )


def _age(scene: CheckContext) -> timedelta:
    """How long one of the first changes waits. They are taken in their order, so no index is needed to find one."""
    found = scene.connection.execute(select(own.journal.c.changed_at).limit(1)).scalar()
    if found is None:
        return timedelta(0)
    return scene.now - moment_of(found)


def _kept(scene: CheckContext) -> Finding:
    count = _count(scene, own.recent)
    advice = (
        "They are needed by a calculation that goes on. See which cache has a slow one: "
        "afterwork caches MODULE:APP --database URL"
    )
    is_right = count <= scene.limits.waiting_changes
    return Finding(f"changes that are kept aside: {count:,}", is_right, advice, is_note=True)


def _count(scene: CheckContext, table: Table) -> int:
    """The rows of a table; of very many, one more than the limit."""
    some = select(1).select_from(table).limit(scene.limits.waiting_changes + 1).subquery()
    return scene.connection.execute(select(func.count()).select_from(some)).scalar_one()

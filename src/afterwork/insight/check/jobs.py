"""What stands in the way of jobs: states that are gone, what runs once and failed, timers that were taken out, and
tickets that could not be named."""

from collections.abc import Iterator

from sqlalchemy import select

from afterwork.insight import machines
from afterwork.insight import once as once_views
from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store import once, tables
from afterwork.store.readable_values import NOT_UTF_8
from afterwork.store.tickets.filter import TicketFilter
from afterwork.store.tickets.statements import tickets_of
from afterwork.store.tickets.walk import TicketWalk


def look(scene: CheckContext) -> Iterator[Finding]:
    """Machines, what runs once, timers, and tickets."""
    yield from _machines(scene)
    yield from _failed_once(scene)
    yield from _gone_timers(scene)
    yield from _unnamed_tickets(scene)


def _machines(scene: CheckContext) -> Iterator[Finding]:
    """Objects in states that are gone, and transitions that may get in each other's way."""
    for name, state, count in machines.unknown_states(scene.database, scene.connection, scene.model):
        advice = "Update these rows to a state that the machine has. As they are, they can't move."
        yield Finding(f"{name}: {count:,} objects stand in {state!r}, which the machine has not", False, advice)
    for name, state, steps in machines.conflicts(scene.model):
        advice = f"Of those whose guards hold, the first is taken: {'; '.join(steps)}."
        yield Finding(f"{name}: {len(steps)} transitions without an event leave {state}", False, advice, is_note=True)
    for met in machines.met_conflicts(scene.connection, scene.model):
        found = f"{met.machine}: in {met.conflict.source}, two transitions were possible at once"
        advice = (
            f"{met.conflict.taken} was taken, and {met.conflict.other} was not: first by {met.root_id}, at "
            f"{met.at:%Y-%m-%d %H:%M:%S}. If that is wrong, let their guards exclude each other."
        )
        yield Finding(found, False, advice, is_note=True)


def _failed_once(scene: CheckContext) -> Iterator[Finding]:
    """What has failed that runs once per database, so that what stands below it waits."""
    for name in once.failed(scene.connection, once_views.names(scene.model)):
        advice = f"See why, put it right, and: afterwork once MODULE:APP --retry {name} --database URL"
        yield Finding(f"{name}, which runs once, has failed", False, advice)


def _gone_timers(scene: CheckContext) -> Iterator[Finding]:
    """What timers were renamed or taken out."""
    there = set(scene.connection.execute(select(tables.timer.c.name)).scalars())
    for name in sorted(there - scene.model.timers.keys()):
        advice = "It was renamed or taken out, and does not fire. A timer of a new name is a new timer."
        yield Finding(f"timer {name}: the model does not have it", False, advice, is_note=True)


def _unnamed_tickets(scene: CheckContext) -> Iterator[Finding]:
    """Say how many receipts are there of tickets with a key or lane that is no text. Only SQLite keeps such texts."""
    if scene.database.dialect != "sqlite":
        return
    walk = TicketWalk(tickets_of(scene.model.contract, scene.database.dialect), scene.now)
    count = walk.count(scene.connection, TicketFilter(state="failed", error=NOT_UTF_8))
    if count.number:
        advice = "Their Errors show what stands there. Have the program that writes them write UTF-8."
        yield Finding(f"{count} tickets have failed since their key or lane {NOT_UTF_8}", False, advice, is_note=True)

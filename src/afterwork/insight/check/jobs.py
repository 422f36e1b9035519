"""Checks of jobs: unknown states, failed once actions, removed timers, and unreadable tickets."""

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
    """Yield findings on machines, timers and tickets."""
    yield from _machines(scene)
    yield from _gone_timers(scene)
    yield from _unnamed_tickets(scene)


def _machines(scene: CheckContext) -> Iterator[Finding]:
    """Yield objects in unknown states, and transitions that may compete."""
    for name, state, count in machines.unknown_states(scene.database, scene.connection, scene.model):
        advice = "Update these rows to a state that the machine has. Until then, they can't move."
        yield Finding(f"{name}: {count:,} objects are in {state!r}, which the machine does not have", False, advice)
    for name, state, steps in machines.conflicts(scene.model):
        advice = f"The first whose guard holds is taken: {'; '.join(steps)}."
        yield Finding(f"{name}: {len(steps)} transitions without an event leave {state}", False, advice, is_note=True)
    for met in machines.met_conflicts(scene.connection, scene.model):
        what = f"{met.machine}: in {met.conflict.source}, two transitions were possible at once"
        advice = (
            f"{met.conflict.taken} was taken, and {met.conflict.other} was not: first by {met.root_id}, at "
            f"{met.at:%Y-%m-%d %H:%M:%S}. If that is wrong, let their guards exclude each other."
        )
        yield Finding(what, False, advice, is_note=True)


def look_at_once(scene: CheckContext) -> Iterator[Finding]:
    """Yield failed actions that run once per database, which hold up those after them."""
    for name in once.failed(scene.connection, once_views.names(scene.model)):
        advice = f"See why, put it right, and: afterwork once MODULE:APP --retry {name} --database URL"
        yield Finding(f"{name}, which runs once, has failed", False, advice)


def _gone_timers(scene: CheckContext) -> Iterator[Finding]:
    """Yield timers that were renamed or removed."""
    known = set(scene.connection.execute(select(tables.timer.c.name)).scalars())
    for name in sorted(known - scene.model.timers.keys()):
        advice = "It was renamed or removed, and does not fire. A timer of a new name is a new timer."
        yield Finding(f"timer {name}: the model does not have it", False, advice, is_note=True)


def _unnamed_tickets(scene: CheckContext) -> Iterator[Finding]:
    """Yield the number of receipts of tickets whose key or lane is no text. Only SQLite stores such values."""
    if scene.database.dialect != "sqlite":
        return
    walk = TicketWalk(tickets_of(scene.model.contract, scene.database.dialect), scene.now)
    count = walk.count(scene.connection, TicketFilter(state="failed", error=NOT_UTF_8))
    if count.number:
        advice = "Their Errors show the values. Make the program that writes them write UTF-8."
        yield Finding(f"{count} tickets have failed since their key or lane {NOT_UTF_8}", False, advice, is_note=True)

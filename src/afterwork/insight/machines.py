"""What can be read of state machines: where their objects stand, and what would move them next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Mapper

from afterwork.errors import UnknownState
from afterwork.model.external_id import parse
from afterwork.model.machine.declare import Machine, declared_machines
from afterwork.model.machine.rivals import Rival, in_words
from afterwork.model.reading import ReadModel
from afterwork.store import tables

LOOKED_AT = 20
"""Moves that are looked at to find the object that has been in a state for longest: those of objects that are gone, or
were moved without the machine, are passed over."""


@dataclass(frozen=True)
class StateView:
    """One state of a machine, as it stands in the column: how many objects are in it; the one that has been there for
    longest, and since when, as far as a history is kept; and what would move them: `ship → shipped`, or, by
    themselves, `[is_covered] → paid`. `known` says that the machine has it; `active` are the ids of all states that an
    object is in then, outer ones first."""

    state: str | None
    count: int
    oldest: str | None
    since: datetime | None
    onward: Sequence[str]
    known: bool
    active: Sequence[str]


@dataclass(frozen=True)
class MachineView:
    """One machine of the model, over all objects of its class."""

    name: str
    chart: str
    has_history: bool
    states: Sequence[StateView]


def machines_in(model: ReadModel) -> Iterator[tuple[str, Mapper[Any], Machine]]:
    """The machines of a model, each by name, once, with the uppermost class that has it."""
    for name, mapper in sorted(model.classes.items()):
        above = () if mapper.inherits is None else declared_machines(mapper.inherits.class_)
        for machine in declared_machines(mapper.class_):
            if machine not in above:
                yield f"{name}.{machine.name}", mapper, machine


def views(connection: Connection, model: ReadModel) -> list[MachineView]:
    """All machines, and where their objects stand. Counts all objects of their classes."""
    return [
        MachineView(
            name,
            machine.chart.__name__,
            machine.has_history,
            list(_states(connection, mapper, machine)),
        )
        for name, mapper, machine in machines_in(model)
    ]


def unknown_states(connection: Connection, model: ReadModel) -> Iterator[tuple[str, str, int]]:
    """Where objects stand in states that their machine has not: the machine, the state, and how many."""
    for name, mapper, machine in machines_in(model):
        for stored, count in _counts(connection, mapper, machine).items():
            if stored is not None and not _is_known(machine, stored):
                yield name, str(stored), count


def rivals(model: ReadModel) -> Iterator[tuple[str, str, list[str]]]:
    """States that several transitions without an event lead out of: the machine, the state, and the transitions in the
    order in which they are tried."""
    for name, _, machine in machines_in(model):
        for state in machine.chart.states_map.values():
            free = [in_words(one) for one in machine.eventless if one.source is state]
            if len(free) > 1:
                yield name, state.id, free


@dataclass(frozen=True)
class MetRivals:
    """Two transitions without an event that were possible at once: the machine by name, which was taken, and the first
    object that met it, and when."""

    machine: str
    rival: Rival
    root_id: str
    at: datetime


def met_rivals(connection: Connection, model: ReadModel) -> Iterator[MetRivals]:
    """The rivals that objects have met, as far as the model still has them."""
    r = tables.rival.c
    for name, mapper, machine in machines_in(model):
        named = [f"{one.class_.__name__}.{machine.name}" for one in mapper.self_and_descendants]
        declared = {(one.source.id, in_words(one)) for one in machine.eventless}
        for row in connection.execute(select(tables.rival).where(r.machine.in_(named)).order_by(r.at)):
            if {(row.source, row.taken), (row.source, row.rival)} <= declared:
                yield MetRivals(name, Rival(row.machine, row.source, row.taken, row.rival), row.root_id, row.at)


def _states(connection: Connection, mapper: Mapper[Any], machine: Machine) -> Iterator[StateView]:
    counts = _counts(connection, mapper, machine)
    alone = [state.value for state in machine.chart.states_map.values() if state.is_atomic]
    shown = [*alone, *counts.keys()] if machine.states.is_flat else [*counts.keys()]
    for stored in dict.fromkeys(shown):
        known = stored is None or _is_known(machine, stored)
        oldest, since = _oldest(connection, mapper, machine, stored)
        active = machine.states.active(stored) if known and stored is not None else []
        onward = [in_words(one) for state in reversed(active) for one in state.transitions if not one.initial]
        text = None if stored is None else str(stored)
        yield StateView(text, counts.get(stored, 0), oldest, since, onward, known, [state.id for state in active])


def _counts(connection: Connection, mapper: Mapper[Any], machine: Machine) -> dict[Any, int]:
    column = mapper.columns[machine.member_of(mapper)]
    rows = connection.execute(select(column, func.count()).select_from(mapper).group_by(column).order_by(column))
    return {row[0]: row[1] for row in rows}


def _is_known(machine: Machine, stored: Any) -> bool:
    try:
        machine.states.read(stored)
    except UnknownState:
        return False
    return True


def _oldest(
    connection: Connection, mapper: Mapper[Any], machine: Machine, stored: Any
) -> tuple[str | None, datetime | None]:
    """The object that has been in a state for longest, as far as the history tells."""
    if not machine.has_history or stored is None:
        return None, None
    t, later = tables.transition.c, tables.transition.alias("later")
    same = later.c.root_id == t.root_id, later.c.machine == t.machine, later.c.id > t.id
    last = select(t.root_id, t.at).where(t.machine == machine.name, t.target == str(stored))
    last = last.where(~select(later.c.id).where(*same).exists()).order_by(t.at, t.id).limit(LOOKED_AT)
    column = mapper.columns[machine.member_of(mapper)]
    classes = {one.class_.__name__: one for one in mapper.self_and_descendants}
    for root_id, since in connection.execute(last).all():
        if root_id.partition("!")[0] in classes:
            keys = zip(mapper.primary_key, parse(root_id, classes).key, strict=True)
            here = select(column).select_from(mapper).where(*(key == value for key, value in keys))
            if connection.execute(here).scalar() == stored:
                return root_id, since
    return None, None

"""State machines: the states of their objects, and the transitions out of those."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Mapper

from afterwork.errors import NotThere, UnknownState, shown
from afterwork.insight.object_states import ObjectsByState
from afterwork.model.inspection import ModelInfo
from afterwork.model.known_names import instead_of
from afterwork.model.machine.chart import in_words
from afterwork.model.machine.declaration import Machine, declared_machines
from afterwork.saving.machine.transition_log import Conflict
from afterwork.store import tables
from afterwork.store.bounded_count import Count
from afterwork.store.database import Database


@dataclass(frozen=True)
class StateView:
    """A state of a machine: its objects, and its transitions.

    `oldest` is the object that has been there for longest, `since` when, as far as a history is kept. `onward` are its
    transitions: `ship → shipped`, or, without an event, `[is_covered] → paid`. `known` says that the machine has the
    state; `active` are the ids of the states that it implies, outer ones first.
    """

    state: str | None
    count: Count
    oldest: str | None
    since: datetime | None
    onward: Sequence[str]
    known: bool
    active: Sequence[str]


@dataclass(frozen=True)
class MachineView:
    """A machine of the model, over all objects of its class.

    `is_indexed` says that the column of the state has an index; without one, only the newest of many objects are
    counted.
    """

    name: str
    chart: str
    has_history: bool
    is_indexed: bool
    states: Sequence[StateView]


def machines_in(model: ModelInfo) -> Iterator[tuple[str, Mapper[Any], Machine]]:
    """Yield each machine once, with its name and the base-most class that has it."""
    for name, mapper in sorted(model.classes.items()):
        above = () if mapper.inherits is None else declared_machines(mapper.inherits.class_)
        for machine in declared_machines(mapper.class_):
            if machine not in above:
                yield f"{name}.{machine.name}", mapper, machine


def views(database: Database, connection: Connection, model: ModelInfo) -> list[MachineView]:
    return [
        _view(name, ObjectsByState(database, connection, mapper, machine))
        for name, mapper, machine in machines_in(model)
    ]


def view(database: Database, connection: Connection, model: ModelInfo, name: str) -> MachineView:
    """Return one machine, and the counts of its objects by state. Raises `NotThere` for an unknown machine."""
    return _view(name, objects_of(database, connection, model, name))


def objects_of(database: Database, connection: Connection, model: ModelInfo, name: str) -> ObjectsByState:
    """Return the objects that have a machine. Raises `NotThere` if the model has no such machine."""
    return ObjectsByState(database, connection, *machine_named(model, name))


def machine_named(model: ModelInfo, name: str) -> tuple[Mapper[Any], Machine]:
    """Return a machine such as `Order.flow`, and its class. Raises `NotThere` if the model has no such machine."""
    known = {known_name: (mapper, machine) for known_name, mapper, machine in machines_in(model)}
    if name not in known:
        others = instead_of(name, known, verb="It has", listed_by="machines")
        raise NotThere(f"The model has no machine {shown(name)}. {others}")
    return known[name]


def unknown_states(database: Database, connection: Connection, model: ModelInfo) -> Iterator[tuple[str, str, int]]:
    """Yield the states of objects that their machine does not have: the machine, the state, and the count.

    Reads all objects.
    """
    for name, mapper, machine in machines_in(model):
        for stored, count in ObjectsByState(database, connection, mapper, machine).all_counts().items():
            if stored is not None and not _is_known(machine, stored):
                yield name, str(stored), count


def conflicts(model: ModelInfo) -> Iterator[tuple[str, str, list[str]]]:
    """Yield states with several eventless transitions: the machine, the state, and the transitions in the order of
    trial."""
    for name, _, machine in machines_in(model):
        for state in machine.chart.states_map.values():
            conflicting = [in_words(transition) for transition in machine.eventless if transition.source is state]
            if len(conflicting) > 1:
                yield name, state.id, conflicting


@dataclass(frozen=True)
class MetConflict:
    """Two eventless transitions that were enabled at once, which was taken, and the first object that met them."""

    machine: str
    conflict: Conflict
    root_id: str
    at: datetime


def met_conflicts(connection: Connection, model: ModelInfo) -> Iterator[MetConflict]:
    """Yield the conflicts that objects have met, if the model still has both transitions."""
    c = tables.conflict.c
    for name, mapper, machine in machines_in(model):
        named = [f"{sub.class_.__name__}.{machine.name}" for sub in mapper.self_and_descendants]
        declared = {(transition.source.id, in_words(transition)) for transition in machine.eventless}
        for row in connection.execute(select(tables.conflict).where(c.machine.in_(named)).order_by(c.at)):
            if {(row.source, row.taken), (row.source, row.other)} <= declared:
                yield MetConflict(name, Conflict(row.machine, row.source, row.taken, row.other), row.root_id, row.at)


def _view(name: str, objects: ObjectsByState) -> MachineView:
    machine = objects.machine
    return MachineView(name, machine.chart.__name__, machine.has_history, objects.is_indexed, list(_states(objects)))


def _states(objects: ObjectsByState) -> Iterator[StateView]:
    machine, counts = objects.machine, objects.counts()
    shown = [*objects.values, *counts.keys()] if machine.states.is_flat else [*counts.keys()]
    unseen = Count(0, any(count.or_more for count in counts.values()) and not objects.is_indexed)
    for stored in dict.fromkeys(shown):
        known = stored is None or _is_known(machine, stored)
        oldest = objects.oldest(stored)
        active = machine.states.active(stored) if known and stored is not None else []
        onward = [
            in_words(transition)
            for state in reversed(active)
            for transition in state.transitions
            if not transition.initial
        ]
        yield StateView(
            None if stored is None else str(stored),
            counts.get(stored, unseen),
            None if oldest is None else oldest.root_id,
            None if oldest is None else oldest.since,
            onward,
            known,
            [state.id for state in active],
        )


def _is_known(machine: Machine, stored: Any) -> bool:
    try:
        machine.states.read(stored)
    except UnknownState:
        return False
    return True

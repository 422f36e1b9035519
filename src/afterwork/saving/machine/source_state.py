"""Keep apart two who move the same object: it must still be in the state that it was moved from."""

from typing import Any

from sqlalchemy import Connection, inspect, select, update
from sqlalchemy.orm import Mapper
from sqlalchemy.orm.attributes import flag_modified

from afterwork.errors import StateHasChanged
from afterwork.model.external_id import external_id
from afterwork.model.machine.declaration import Machine, machines_of
from afterwork.saving.machine.unsaved_moves import unsaved, unsaved_sources
from afterwork.store.untracked_statements import OWN


def store_state(machine: Machine, obj: Any, stored: Any) -> None:
    """Write a state into the column of an object.

    The object is saved even if the state stays the same, as by a transition from a state to itself: that is possible
    only while nobody else has moved it. So the state before its first move is noted, to be compared when it is saved.
    """
    before, member = machine.stored(obj), machine.member_in(type(obj))
    unsaved(obj).sources.setdefault(machine.name, before)
    if stored == before:
        flag_modified(obj, member)
    else:
        setattr(obj, member, stored)


def check_source_state(mapper: Mapper[Any], connection: Connection, obj: Any) -> None:
    """Check that an object about to be updated is in the state that it is moved from. Listens to SQLAlchemy.

    Its row stays locked until this transaction ends.

    Raises `StateHasChanged` if somebody else has moved it.
    """
    state, sources = inspect(obj), unsaved_sources(obj)
    for machine in machines_of(type(obj)):
        member = machine.member_of(mapper)
        before = [sources[machine.name]] if machine.name in sources else state.attrs[member].history.deleted
        if before and not _lock_row(mapper, connection, obj, member, before[0]):
            raise StateHasChanged(external_id(obj), machine.name, before[0])


def _lock_row(mapper: Mapper[Any], connection: Connection, obj: Any, member: str, before: Any) -> bool:
    """Lock the object's row if its column holds a state. Returns whether it does."""
    column: Any = mapper.columns[member]
    key = {part: getattr(obj, mapper.get_property_by_column(part).key) for part in column.table.primary_key.columns}
    same = (*(part == value for part, value in key.items()), column.is_not_distinct_from(before))
    if connection.dialect.name == "postgresql":
        # As strong as an update's lock, so those who save rows that refer to this object need not wait.
        locked = select(1).where(*same).with_for_update(key_share=True)
        return connection.execute(locked, execution_options=OWN).first() is not None
    # SQLite has one lock for all writers, and a transaction gets it by writing.
    touched = update(column.table).where(*same).values({column: column})
    return bool(connection.execute(touched, execution_options=OWN).rowcount)

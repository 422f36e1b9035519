"""The log of transitions, in `afterwork_transition`, and of conflicts between them: written when an object is saved.

Until then, they are kept with the object, and undone with the rest of it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Executable, insert, inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper

from afterwork.clock import now
from afterwork.errors import NotInstalled
from afterwork.model.external_id import external_id
from afterwork.model.machine.declaration import Machine
from afterwork.saving.current_work import running_work
from afterwork.store import tables
from afterwork.store.untracked_statements import OWN
from afterwork.store.upsert import insert_into

UNSAVED = "_afterwork_unsaved_moves"
"""The entry of an object's `__dict__` that holds its `UnsavedMoves`."""


@dataclass(frozen=True)
class Move:
    """A change of state: by an event, or because a guard came true ("")."""

    machine: Machine
    source: Any
    target: Any
    event: str
    mover: str | None = field(default_factory=running_work)
    at: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Conflict:
    """A transition that was taken, and a later one of the same state that was possible, too; both in words."""

    machine: str
    source: str
    taken: str
    other: str


@dataclass
class UnsavedMoves:
    """Moves to be logged, conflicts to be noted, and the states that the database must still hold, by machine."""

    moves: list[Move] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)
    sources: dict[str, Any] = field(default_factory=dict)


def unsaved(obj: Any) -> UnsavedMoves:
    """Return the unsaved moves of an object, to add to."""
    moves: UnsavedMoves | None = vars(obj).get(UNSAVED)
    if moves is None:
        moves = vars(obj)[UNSAVED] = UnsavedMoves()
    return moves


def unsaved_sources(obj: Any) -> dict[str, Any]:
    """Return the states that an object was in before its first unsaved move, by machine."""
    moves: UnsavedMoves | None = vars(obj).get(UNSAVED)
    return {} if moves is None else moves.sources


def take_unsaved(obj: Any) -> UnsavedMoves | None:
    """Return the unsaved moves of an object that is being saved, and forget them."""
    moves: UnsavedMoves | None = vars(obj).pop(UNSAVED, None)
    return moves


def forget_unsaved(obj: Any, *_: Any) -> None:
    """Forget the moves of an object that is expired. Listens to SQLAlchemy."""
    if obj is not None:  # nobody may hold it any more
        vars(obj).pop(UNSAVED, None)


LOG = insert(tables.transition).inline()
"""Inline, so that no id is returned: an application may have the right to insert only."""


def note(obj: Any, move: Move) -> None:
    """Note a move of an object, to be logged when it is saved, and call its `on_state_change`."""
    if move.machine.has_history:
        unsaved(obj).moves.append(move)
        state = inspect(obj)
        if state.session is not None and state.persistent and not state.modified:  # an action has saved it already
            write_down(state.mapper, state.session.connection(bind_arguments={"mapper": state.mapper}), obj)
    if hasattr(type(obj), "on_state_change"):
        obj.on_state_change(move.machine.name, move.source, move.target)


def write_down(mapper: Mapper[Any], connection: Connection, obj: Any) -> None:
    """Write the moves and conflicts of an object that has been saved. Listens to SQLAlchemy."""
    noted = take_unsaved(obj)
    if noted is None:
        return
    if noted.moves:
        root_id = external_id(obj)
        _write(connection, LOG, [_row(root_id, move) for move in noted.moves])
    if noted.conflicts:
        met = {"root_id": external_id(obj), "at": now()}
        # Each pair of transitions once, with the first object that met it.
        note_once = insert_into(connection.dialect.name, tables.conflict).inline().on_conflict_do_nothing()
        _write(connection, note_once, [vars(conflict) | met for conflict in noted.conflicts])


def _row(root_id: str, move: Move) -> dict[str, Any]:
    return {
        "root_id": root_id,
        "machine": move.machine.name,
        "source": None if move.source is None else str(move.source),
        "target": None if move.target is None else str(move.target),
        "event": move.event or None,
        "mover": move.mover,
        "at": move.at,
    }


def _write(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    try:
        connection.execute(statement, rows, execution_options=OWN)
    except DBAPIError as error:
        if any(words in str(error.orig) for words in ("no such table", "does not exist")):
            raise NotInstalled(connection.engine.url.render_as_string()) from error
        raise

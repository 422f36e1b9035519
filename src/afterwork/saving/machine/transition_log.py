"""The log of transitions, in `afterwork_transition`, and of conflicts between them: written when an object is saved."""

from typing import Any

from sqlalchemy import Connection, Executable, insert, inspect
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper

from afterwork.clock import now
from afterwork.errors import NotInstalled
from afterwork.model.external_id import external_id
from afterwork.saving.machine.unsaved_moves import Move, take_unsaved, unsaved
from afterwork.store import tables
from afterwork.store.untracked_statements import OWN

LOG = insert(tables.transition).inline()
"""Inline, so that no id is returned: an application may have the right to insert only."""

NOTE_CONFLICT = {
    "postgresql": postgresql.insert(tables.conflict).inline().on_conflict_do_nothing(),
    "sqlite": sqlite.insert(tables.conflict).inline().on_conflict_do_nothing(),
}
"""Notes each pair of transitions once, with the first object that met it."""


def note(obj: Any, move: Move) -> None:
    """Note a move of an object, to be logged when it is saved, and call its `on_state_change`."""
    if move.machine.has_history:
        unsaved(obj).moves.append(move)
        state = inspect(obj)
        if state.session is not None and state.persistent and not state.modified:  # an action has saved it already
            write_down(state.mapper, state.session.connection(), obj)
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
        _write(
            connection, NOTE_CONFLICT[connection.dialect.name], [vars(conflict) | met for conflict in noted.conflicts]
        )


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

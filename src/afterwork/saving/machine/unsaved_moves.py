"""The moves of an object that is not saved yet. They are kept with it, and undone with the rest of it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from afterwork.clock import now
from afterwork.model.machine.declaration import Machine
from afterwork.saving.current_work import running_work

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

"""What is noted of a move, and how two who move the same object are kept apart."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Executable, column, insert, inspect, select, table, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper

from afterwork.clock import now
from afterwork.errors import NotInstalled, StateHasChanged
from afterwork.model.accounted import ACCOUNTED
from afterwork.model.external_id import external_id
from afterwork.model.machine.rivals import KEEP, Rival
from afterwork.model.utc_datetime import UtcDateTime

if TYPE_CHECKING:
    from afterwork.model.machine.declare import Machine

Chart = TypeVar("Chart", bound=type)

OWN = {ACCOUNTED: True}

MACHINES = "_afterwork_machines"
MOVES = "_afterwork_moves"
RIVALS = "_afterwork_rivals"
FROM = "_afterwork_moved_from"
HISTORY = "__afterwork_history__"


@dataclass(frozen=True)
class Mover:
    """The work that runs, and the key of the ticket that asked for it, if one did."""

    work: str
    ticket: Any = None


MOVER: ContextVar[Mover | None] = ContextVar("afterwork_mover", default=None)
"""What runs; None where Afterwork runs nothing."""


def _work() -> str | None:
    mover = MOVER.get()
    return None if mover is None else mover.work


TRANSITION = table(
    "afterwork_transition",
    column("root_id"),
    column("machine"),
    column("source"),
    column("target"),
    column("event"),
    column("mover"),
    column("at", UtcDateTime()),
)
"""The history of machines. `store/tables.py` declares it in full."""


@dataclass(frozen=True)
class Move:
    """An object went from one state to another: by an event, or because a guard came true ("")."""

    machine: "Machine"
    source: Any
    target: Any
    event: str
    mover: str | None = field(default_factory=_work)
    at: datetime = field(default_factory=now)


def track_history(chart: Chart) -> Chart:
    """Keep the history of a machine: a row of `afterwork_transition` for each move, saved with it. `chart` is the class
    of the machine; this serves as a decorator of it, too."""
    setattr(chart, HISTORY, True)
    return chart


def note(obj: Any, move: Move) -> None:
    """An object has moved: tell it, and write it down when it is saved."""
    if move.machine.has_history:
        vars(obj).setdefault(MOVES, []).append(move)
        state = inspect(obj)
        if state.session is not None and state.persistent and not state.modified:  # an action has saved it already
            write_down(state.mapper, state.session.connection(), obj)
    if hasattr(type(obj), "on_state_change"):
        obj.on_state_change(move.machine.name, move.source, move.target)


def note_rivals(obj: Any, rivals: Sequence[Rival]) -> None:
    """Transitions were possible beside one that is about to be taken: write them down when the object is saved."""
    if rivals:
        vars(obj).setdefault(RIVALS, []).extend(rivals)


def hold(obj: Any, machine: "Machine", before: Any) -> None:
    """An object is being moved. When it is saved, it must still be in the state that it was in before its first move,
    also if it has come back to that."""
    vars(obj).setdefault(FROM, {}).setdefault(machine.name, before)


def machines_of(cls: type) -> Sequence["Machine"]:
    """The machines of a mapped class."""
    found: Sequence[Machine] = getattr(cls, MACHINES, ())
    return found


# What SQLAlchemy tells of the objects of classes that have machines.


def write_down(mapper: Mapper[Any], connection: Connection, obj: Any) -> None:
    """Write the moves of an object that is being saved."""
    moves: list[Move] = vars(obj).pop(MOVES, [])
    vars(obj).pop(FROM, None)
    if moves:
        root_id = external_id(obj)
        rows = [
            {
                "root_id": root_id,
                "machine": move.machine.name,
                "source": None if move.source is None else str(move.source),
                "target": None if move.target is None else str(move.target),
                "event": move.event or None,
                "mover": move.mover,
                "at": move.at,
            }
            for move in moves
        ]
        _write(connection, insert(TRANSITION), rows)
    rivals: list[Rival] = vars(obj).pop(RIVALS, [])
    if rivals:
        met = {"root_id": external_id(obj), "at": now()}
        _write(connection, KEEP, [vars(rival) | met for rival in rivals])


def _write(connection: Connection, statement: Executable, rows: list[dict[str, Any]]) -> None:
    try:
        connection.execute(statement, rows, execution_options=OWN)
    except DBAPIError as error:
        if any(words in str(error.orig) for words in ("no such table", "does not exist")):
            raise NotInstalled(connection.engine.url.render_as_string()) from error
        raise


def forget(obj: Any, *_: Any) -> None:
    """What was noted of an object is undone with the rest of it."""
    if obj is not None:  # nobody may hold it any more
        vars(obj).pop(MOVES, None)
        vars(obj).pop(RIVALS, None)
        vars(obj).pop(FROM, None)


def keep_apart(mapper: Mapper[Any], connection: Connection, obj: Any) -> None:
    """See that the object is still in the state that it is moved from, and keep it there until this transaction ends.

    Raises `StateHasChanged` if somebody else has moved it.
    """
    state, held = inspect(obj), vars(obj).get(FROM, {})
    for machine in machines_of(type(obj)):
        member = machine.member_of(mapper)
        before = [held[machine.name]] if machine.name in held else state.attrs[member].history.deleted
        if before and not _holds(mapper, connection, obj, member, before[0]):
            raise StateHasChanged(external_id(obj), machine.name, before[0])


def _holds(mapper: Mapper[Any], connection: Connection, obj: Any, member: str, before: Any) -> bool:
    stored: Any = mapper.columns[member]
    values = {key: getattr(obj, mapper.get_property_by_column(key).key) for key in stored.table.primary_key.columns}
    same = (*(key == value for key, value in values.items()), stored.is_not_distinct_from(before))
    if connection.dialect.name == "postgresql":
        # Of the strength of an update: who saves what refers to this object need not wait.
        held = select(1).where(*same).with_for_update(key_share=True)
        return connection.execute(held, execution_options=OWN).first() is not None
    # SQLite has one lock for all writers, and a transaction gets it by writing.
    touched = update(stored.table).where(*same).values({stored: stored})
    return bool(connection.execute(touched, execution_options=OWN).rowcount)

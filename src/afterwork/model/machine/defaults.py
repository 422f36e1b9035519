"""What a new object is given by its columns' defaults, before its machines enter their first states."""

from typing import Any, NoReturn

from sqlalchemy import Column, inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.schema import CallableColumnDefault, ScalarElementColumnDefault

from afterwork.model.machine.moves import machines_of


class _NeedsStatement(Exception):
    """A default asks for the statement that will insert the object, which is not there yet."""


class _NoStatement:
    """Stands for that statement."""

    def __getattr__(self, _: str) -> NoReturn:
        raise _NeedsStatement


def give_defaults(obj: Any) -> None:
    """Give a new object what the defaults of its columns would give it when it is inserted, so that entry actions see
    it. What only the database or the statement can tell is left to them. So are the states of machines: a state must be
    entered."""
    state: InstanceState[Any] = inspect(obj)
    if state.has_identity:
        return
    states = {machine.member_of(state.mapper) for machine in machines_of(type(obj))}
    for member in state.mapper.column_attrs:
        column = member.columns[0]
        if member.key not in states and isinstance(column, Column) and _is_unset(state, member.key, column):
            _give(obj, member.key, column)


def _is_unset(state: InstanceState[Any], member: str, column: Column[Any]) -> bool:
    """Whether the insert would leave a column to its default: None counts as a value only where its type says so."""
    if member not in state.dict:
        return True
    return state.dict[member] is None and not column.type.should_evaluate_none


def _give(obj: Any, member: str, column: Column[Any]) -> None:
    match column.default:
        case ScalarElementColumnDefault(arg=value):
            set_committed_value(obj, member, value)
        case CallableColumnDefault(arg=make):
            try:
                set_committed_value(obj, member, make(_NoStatement()))  # type: ignore[arg-type]
            except _NeedsStatement:
                return

"""The values that columns' defaults give a new object, before its machines enter their first states."""

from typing import Any, NoReturn

from sqlalchemy import Column, inspect
from sqlalchemy.orm import InstanceState
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.sql.schema import CallableColumnDefault, ScalarElementColumnDefault

from afterwork.model.machine.declaration import machines_of


class _NeedsStatement(Exception):
    """Raised by a default that needs the statement that inserts the object, which doesn't exist yet."""


class _NoStatement:
    """The context that a default is called with in place of that statement."""

    def __getattr__(self, _: str) -> NoReturn:
        raise _NeedsStatement


def give_defaults(obj: Any) -> None:
    """Set a new object's members to the defaults that its insert would use, so that entry actions see them.

    Defaults that only the database or the statement can tell are left to them. So are the states of machines: a state
    must be entered.
    """
    state: InstanceState[Any] = inspect(obj)
    if state.has_identity:
        return
    states = {machine.member_of(state.mapper) for machine in machines_of(type(obj))}
    for member in state.mapper.column_attrs:
        column = member.columns[0]
        if member.key not in states and isinstance(column, Column) and _is_unset(state, member.key, column):
            _set_default(obj, member.key, column)


def _is_unset(state: InstanceState[Any], member: str, column: Column[Any]) -> bool:
    """Return whether the insert would use a column's default. None counts as a value only where its type says so."""
    if member not in state.dict:
        return True
    return state.dict[member] is None and not column.type.should_evaluate_none


def _set_default(obj: Any, member: str, column: Column[Any]) -> None:
    match column.default:
        case ScalarElementColumnDefault(arg=value):
            set_committed_value(obj, member, value)
        case CallableColumnDefault(arg=make):
            try:
                set_committed_value(obj, member, make(_NoStatement()))  # type: ignore[arg-type]
            except _NeedsStatement:
                return

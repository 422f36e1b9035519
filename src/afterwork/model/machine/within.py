"""Requests that are withdrawn when the state is left in which they were made.

Such a ticket names its work and the state: `Order.escalate while flow is in shipped`. Leaving the state deletes it; and
one that is left over, since somebody changed the state without the machine, ends without having run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.orm import object_session

from afterwork.model.accounted import ACCOUNTED
from afterwork.model.external_id import external_id_or_none
from afterwork.model.machine.moves import MOVER
from afterwork.model.ticket import ROOT, ticket_contract
from afterwork.model.unique import has_begun, is_pending

if TYPE_CHECKING:
    from afterwork.model.machine.declare import Machine

AT_THE_END = "afterwork.at_the_end"
"""In the info of a session that writes nothing before its run has ended: statements to be executed then."""

WHILE = " while "
IS_IN = " is in "


def base_of(work: str) -> str:
    """Return the name of the work itself, of one that is asked for while a state lasts."""
    return work.partition(WHILE)[0]


@dataclass(frozen=True)
class StateScope:
    """The state whose entry actions run."""

    machine: "Machine"
    obj: Any
    state: str

    @property
    def ending(self) -> str:
        """What the name of a work ends with that is asked for only while this state lasts."""
        return f"{WHILE}{self.machine.name}{IS_IN}{self.state}"


class _Entering:
    """Which state is being entered, in this thread or task."""

    def __init__(self) -> None:
        self._current: ContextVar[StateScope | None] = ContextVar("afterwork_entering", default=None)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    def at(self, entered: StateScope | None) -> None:
        self._current.set(entered)

    @property
    def state(self) -> StateScope | None:
        return self._current.get()


entering = _Entering()


def withdraw(machine: "Machine", obj: Any, state: str) -> None:
    """Delete what was asked for while this state lasts, and has not begun. The ticket that has the state left stays."""
    session, contract = object_session(obj), ticket_contract(obj)
    if session is None or contract is None:
        return
    ending = StateScope(machine, obj, state).ending
    for ticket in [one for one in session.new if vars(one).get(ROOT) is obj]:
        if str(getattr(ticket, contract.view_model.name, "")).endswith(ending):
            session.expunge(ticket)
    root_id = external_id_or_none(obj)
    if root_id is None:
        return
    key, work = contract.key.column, contract.view_model.column
    mine = (contract.root_id.column == root_id) & work.endswith(ending, autoescape=True)
    mover = MOVER.get()
    if mover is not None and mover.ticket is not None and mover.work.endswith(ending):
        mine &= key != mover.ticket
    waiting = select(key).where(mine, is_pending(contract), ~has_begun(key)).with_for_update(skip_locked=True)
    gone = delete(contract.table).where(key.in_(waiting)).execution_options(**{ACCOUNTED: True})
    if AT_THE_END in session.info:
        session.info[AT_THE_END].append(gone)
    else:
        session.connection().execute(gone)

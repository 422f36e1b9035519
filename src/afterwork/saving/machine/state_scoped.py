"""Requests that are withdrawn when the state is left in which they were made.

The name of such a ticket's work ends with the state: `Order.escalate while flow is in shipped`. To leave the state
deletes it. A ticket that is left over, because the state was changed without the machine, ends without having run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import object_session

from afterwork.errors import BadRequest, shown
from afterwork.model.external_id import external_id_or_none
from afterwork.model.machine.declaration import Machine
from afterwork.model.machine.state_scope import StateScope
from afterwork.model.method import BoundMethod, GivenWork, Ticket
from afterwork.model.ticket import ROOT, ticket_contract
from afterwork.saving.current_work import CURRENT_WORK, STATEMENTS_AT_END
from afterwork.saving.later import later
from afterwork.store.tickets.columns import has_begun, is_pending
from afterwork.store.untracked_statements import OWN


@dataclass(frozen=True)
class EnteredState:
    """The state that an object enters, while its entry actions run."""

    obj: Any
    scope: StateScope


class _Entering:
    """The state that is being entered, in this thread or task."""

    def __init__(self) -> None:
        self._current: ContextVar[EnteredState | None] = ContextVar("afterwork_entering", default=None)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        token = self._current.set(None)
        try:
            yield
        finally:
            self._current.reset(token)

    def at(self, entered: EnteredState | None) -> None:
        self._current.set(entered)

    @property
    def state(self) -> EnteredState | None:
        return self._current.get()


entering = _Entering()


def withdraw(machine: Machine, obj: Any, state: str) -> None:
    """Delete the tickets of an object that depend on a state and have not begun.

    The ticket whose run leaves the state stays.
    """
    session, contract = object_session(obj), ticket_contract(obj)
    if session is None or contract is None:
        return
    ending = str(StateScope(machine.name, state))
    for ticket in [new for new in session.new if vars(new).get(ROOT) is obj]:
        if str(getattr(ticket, contract.view_model.name, "")).endswith(ending):
            session.expunge(ticket)
    root_id = external_id_or_none(obj)
    if root_id is None:
        return
    key, work = contract.key.column, contract.view_model.column
    scoped = (contract.root_id.column == root_id) & work.endswith(ending, autoescape=True)
    current = CURRENT_WORK.get()
    if current is not None and current.ticket is not None and current.work.endswith(ending):
        scoped &= key != current.ticket
    waiting = select(key).where(scoped, is_pending(contract), ~has_begun(key)).with_for_update(skip_locked=True)
    withdrawn = delete(contract.table).where(key.in_(waiting)).execution_options(**OWN)
    if STATEMENTS_AT_END in session.info:
        session.info[STATEMENTS_AT_END].append(withdrawn)
    else:
        session.connection(bind_arguments={"mapper": contract.mapper}).execute(withdrawn)


def while_in(
    work: BoundMethod[Any, Ticket] | GivenWork[Ticket],
    *,
    at: datetime | None = None,
    after: timedelta | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
) -> Ticket:
    """Ask, in an entry action, for a method or event of the machine's own object, while the state lasts.

    It runs if the state lasts until then, and is withdrawn when the state is left.

        def on_enter_shipped(self, model):
            aw.while_in(model.flow.escalate, after=timedelta(days=3))

    `at`, `after`, `keep` and `priority` are those of `aw.later`. Raises `BadRequest` elsewhere than in an entry action,
    and for other objects.
    """
    entered = entering.state
    if entered is None:
        raise BadRequest("aw.while_in is for entry actions: it needs to know which state is being entered.")
    bound = work.work if isinstance(work, GivenWork) else work
    if not isinstance(bound, BoundMethod) or bound.target is not entered.obj:
        raise BadRequest(
            f"aw.while_in takes a method or an event of the object that enters the state, not {shown(work)}. "
            "Let that method ask for the work of other objects."
        )
    ticket = later(work, at=at, after=after, keep=keep, priority=priority)
    contract = ticket_contract(entered.obj)
    assert contract is not None  # later has made a ticket
    name = contract.view_model.name
    setattr(ticket, name, f"{getattr(ticket, name)}{entered.scope}")
    return ticket

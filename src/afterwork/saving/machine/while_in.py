"""`aw.while_in`: ask for work that is withdrawn when the state is left."""

from datetime import datetime, timedelta
from typing import Any

from afterwork.errors import BadRequest, shown
from afterwork.model.method import BoundMethod
from afterwork.model.ticket import AsyncTicket, ticket_contract
from afterwork.saving.later import later
from afterwork.saving.machine.state_scoped import entering


def while_in(
    work: BoundMethod[Any],
    *,
    at: datetime | None = None,
    after: timedelta | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
) -> AsyncTicket:
    """Ask, in an entry action, for a method or event of the machine's own object, while the state lasts.

    It runs if the state lasts until then, and is withdrawn when the state is left.

        def on_enter_shipped(self, model):
            aw.while_in(model.flow.escalate, after=timedelta(days=3))

    The arguments are those of `aw.later`. Raises `BadRequest` elsewhere than in an entry action, and for other objects.
    """
    entered = entering.state
    if entered is None:
        raise BadRequest("aw.while_in is for entry actions: it needs to know which state is being entered.")
    if not isinstance(work, BoundMethod) or work.target is not entered.obj:
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

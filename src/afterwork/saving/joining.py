"""Join a pending ticket that asks for the same: it gets what the request asks for beyond it."""

from datetime import datetime, timedelta
from typing import Any

from afterwork.clock import now
from afterwork.errors import BadRequest
from afterwork.model.contract import CLASS_NAME, Contract
from afterwork.saving.request import Request, stored_timestamp
from afterwork.saving.sameness import Debounce, Unique
from afterwork.saving.sessions import session as session_of
from afterwork.store.tickets.columns import aware as aware_or_utc


def join(ticket: Any, contract: Contract, request: Request, unique: Unique) -> Any:
    """Let a pending ticket do for a request, too. Return it."""
    match unique:
        case Debounce(at_most):
            _postpone(ticket, contract, request, at_most)
        case _:
            _bring_forward(ticket, contract, request)
    _raise_priority(ticket, contract, request.priority)
    _keep_longer(ticket, contract, request.keep_minutes)
    _give_longer(ticket, contract, request.latest)
    return ticket


def _bring_forward(ticket: Any, contract: Contract, request: Request) -> None:
    """Let a pending ticket run as early as a request asks for."""
    present = getattr(ticket, contract.execute_earliest.name)
    if present is not None:
        wanted = stored_timestamp(contract.execute_earliest, contract, session_of(ticket), request.earliest)
        if wanted is None or wanted < present:
            setattr(ticket, contract.execute_earliest.name, wanted)


def _postpone(ticket: Any, contract: Contract, request: Request, at_most: timedelta) -> None:
    """Let a pending ticket run when a request asks for.

    That is not later than `at_most` this long after it was made. One that somebody wants at once is not postponed.
    """
    earliest = contract.execute_earliest
    if contract.created is None:
        raise BadRequest(f"aw.debounce needs an attribute Created, which {CLASS_NAME} has not.")
    if request.earliest is None or getattr(ticket, earliest.name) is None:
        return
    created = aware_or_utc(getattr(ticket, contract.created.name)) or now()
    wanted = min(request.earliest, created + at_most)
    setattr(ticket, earliest.name, stored_timestamp(earliest, contract, session_of(ticket), wanted))


def _raise_priority(ticket: Any, contract: Contract, priority: int | None) -> None:
    """Let a pending ticket run with as high a priority as a request asks for."""
    if contract.priority is not None and priority is not None:
        present = getattr(ticket, contract.priority.name)
        if present is None or priority < present:
            setattr(ticket, contract.priority.name, priority)


def _keep_longer(ticket: Any, contract: Contract, minutes: int | None) -> None:
    """Let the receipt of a pending ticket stay for as long as a request asks for."""
    attribute = contract.keep_receipt_minutes
    present = getattr(ticket, attribute.name)
    if minutes is not None and (present is None or present < minutes):
        setattr(ticket, attribute.name, minutes)


def _give_longer(ticket: Any, contract: Contract, latest: datetime | None) -> None:
    """Let a pending ticket not expire before `latest`."""
    attribute = contract.not_after
    present = None if attribute is None else getattr(ticket, attribute.name)
    if attribute is not None and present is not None:
        wanted = stored_timestamp(attribute, contract, session_of(ticket), latest)
        if wanted is None or wanted > present:
            setattr(ticket, attribute.name, wanted)

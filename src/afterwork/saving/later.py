"""`aw.later`: ask for work, in the transaction of the object that it is about."""

from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy.orm import Session

from afterwork.clock import now
from afterwork.errors import BadRequest, shown
from afterwork.model.awaiting import asking
from afterwork.model.contract import CLASS_NAME, DEFAULT_KEEP_MINUTES, Contract, ContractAttribute
from afterwork.model.job_function import JobFunction
from afterwork.model.lane import MAIN, Lane, lane_name
from afterwork.model.method import BoundMethod, GivenWork, Ticket
from afterwork.model.requests import request_work
from afterwork.model.utc_datetime import aware
from afterwork.model.viewmodel import ViewModel
from afterwork.saving import ticket_arguments
from afterwork.saving.joining import join
from afterwork.saving.request import Request, stored_timestamp
from afterwork.saving.sameness import Debounce, Sameness, Unique, unique_by
from afterwork.saving.sessions import AnySession
from afterwork.saving.ticket_rows import forget_not_saved
from afterwork.saving.unique import RequestAtEnd, UniqueRequest
from afterwork.saving.wanted_work import WantedWork, wanted_of


class Declared(Enum):
    """Stands for "as the work declares it"."""

    LANE = "the lane that the work declares"


@request_work.register
@asking("aw.later(…)")
def later(
    work: BoundMethod[Any, Ticket] | GivenWork[Ticket] | ViewModel[Any, Ticket] | JobFunction[Any, Ticket],
    *,
    session: AnySession | None = None,
    at: datetime | None = None,
    after: timedelta | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
    lane: str | Lane | Declared | None = Declared.LANE,
    unique: Unique = False,
    not_after: datetime | None = None,
) -> Ticket:
    """Ask for a method or view model to run on its object, once the object's transaction has committed.

        aw.later(customer.assign_number)
        aw.later(order.remind, after=timedelta(days=3), unique=True)
        aw.later(TheCustomerNumberAssigner(customer))
        aw.later(order.refund.given(Decimal("12.50"), reason="broken"))
        aw.later(tidy, session=session)

    A work without a root, as a function marked with `@app.job`, is asked for in the transaction of `session`.
    `at` (aware) or `after` delay it; in a run, `after` counts by the clock of its server. `keep` is how long its
    receipt stays, in whole minutes (default 10). Priority 1 runs before 2, None last. `lane` overrules the lane that
    the work declares; None runs it in parallel. A ticket whose turn comes later than `not_after` (aware) ends with an
    Error that says so, and is not run.
    `unique=True` returns the pending ticket of the same root and work, with equal arguments, if one has not begun yet:
    brought forward if this call asks for an earlier time or a higher priority, and given longer if `not_after` is
    later or `keep` longer. `unique=aw.by("reason")` lets only some of the arguments count. `unique=timedelta(hours=1)`
    also returns a ticket that was made within that time and has begun, or is done without an Error; its receipt stays
    for as long. `unique=aw.debounce(timedelta(minutes=5))` postpones the pending ticket to the time that is asked for.
    In an external run, whether there is another one is found out when the run's changes are saved; the ticket that was
    returned is then not saved.

    Returns the ticket, a row of the model's SysAsyncTicket in the object's own session. Type checkers take it for an
    `aw.AsyncTicket`, unless the model names its class: `class Base(aw.Model["SysAsyncTicket"], DeclarativeBase)`.
    Raises `NoSession`, `NaiveDatetime`, `BadArguments`, `BadRequest`, and `ModelError` if the model has no ticket
    class.
    """
    wanted = wanted_of(work)
    own_lane = lane_of(lane, wanted.lane)
    own_session, contract = wanted.session(session), wanted.contract()
    check_options(after, keep, priority, unique)
    if isinstance(unique, Debounce):
        _check_debounce(unique, at, after)
    earliest, latest = earliest_of(at, after, not_after), latest_of(not_after)
    minutes = _kept_minutes(keep, unique)
    names_lane = not isinstance(lane, Declared)
    request = Request(
        wanted.name, wanted.root, wanted.arguments, own_lane, names_lane, earliest, latest, priority, minutes
    )
    if unique:
        return _ask_once(own_session, contract, wanted, unique, request)  # type: ignore[no-any-return]
    return _ask(own_session, contract, request)  # type: ignore[no-any-return]


def _ask(session: Session, contract: Contract, request: Request) -> Any:
    ticket = _new_ticket(session, contract, request)
    session.add(ticket)
    return ticket


def _ask_once(session: Session, contract: Contract, wanted: WantedWork, unique: Unique, request: Request) -> Any:
    """Join the ticket that asks for the same, or make one. A ticket class without Arguments has none to compare."""
    by = unique_by(unique)
    sameness = Sameness.of(wanted.parameters, wanted.arguments, by)
    since = None if by.within is None else now() - by.within
    same = UniqueRequest(session, contract, wanted.name, wanted.root, sameness, since)
    at_end = same.at_end()
    pending = same.pending() if at_end is None else same.new()
    if pending is not None:
        return join(pending, contract, request, unique)
    if at_end is None and (recent := same.recent()) is not None:
        return recent
    ticket = _ask(session, contract, request)
    if at_end is not None:
        at_end.append(RequestAtEnd(same, ticket, lambda other: join(other, contract, request, unique)))
    return ticket


def _check_debounce(debounce: Debounce, at: datetime | None, after: timedelta | None) -> None:
    """Raise `BadRequest` for a request that postpones nothing."""
    if at is None and after is None:
        raise BadRequest("aw.debounce postpones a request to the time that the next one asks for: give after= or at=.")
    if after is not None and after > debounce.at_most:
        raise BadRequest(f"after={after} is longer than the {debounce.at_most} by which aw.debounce may postpone it.")


def _kept_minutes(keep: timedelta | None, unique: Unique) -> int | None:
    """Return the minutes for which the receipt, and so the request, is kept; None if nobody says.

    Raises `BadRequest` if it is not to stay for the period in which the request is unique."""
    period = unique_by(unique).within
    if period is None:
        return None if keep is None else minutes_of(keep)
    if keep is not None and keep < period:
        raise BadRequest(
            f"keep={keep} is shorter than {period}, within which the request is unique: its receipt must stay for that "
            "long. Give a longer keep=, or none."
        )
    return max(minutes_of(period if keep is None else keep), DEFAULT_KEEP_MINUTES if keep is None else 0)


def check_options(after: object, keep: object, priority: object, unique: object = False) -> None:
    """Raise `BadRequest` for an argument of a wrong type, which the database would refuse later, or keep."""
    for name, value, kind, wanted in (
        ("after", after, timedelta, "a timedelta: timedelta(hours=1)"),
        ("keep", keep, timedelta, "a timedelta: timedelta(days=1)"),
        ("priority", priority, int, "a whole number: 1 runs before 2"),
        ("unique", unique, Unique, 'True, False, aw.by("reason"), a period, or aw.debounce(timedelta(minutes=5))'),
    ):
        if value is not None and not isinstance(value, kind):
            raise BadRequest(f"{name}={shown(value)}: give {wanted}.")


def lane_of(lane: str | Lane | Declared | None, declared: str | Lane | None) -> str | None:
    """Return the lane that a ticket's row says, by what was asked for and what its work declares."""
    if lane == "":
        raise BadRequest("A lane needs a name. lane=None means: in parallel, in no lane.")
    if lane is not None and not isinstance(lane, str | Lane | Declared):
        raise BadRequest(f"lane={shown(lane)}: give a name, an aw.Lane, or None to run in parallel.")
    if not isinstance(lane, Declared):
        return lane_name(lane)
    name = lane_name(declared)
    return None if name == MAIN else name


def _new_ticket(session: Session, contract: Contract, request: Request) -> Any:
    ticket = contract.mapper.class_()
    earliest, latest = contract.execute_earliest, contract.not_after
    _set(ticket, contract.view_model, request.work)
    _set(ticket, earliest, stored_timestamp(earliest, contract, session, request.earliest))
    if request.latest is not None:
        _set(ticket, latest, stored_timestamp(latest, contract, session, request.latest), "not_after")
    _set(ticket, contract.priority, request.priority, "priority")
    if contract.lane is not None or request.names_lane:
        _set(ticket, contract.lane, request.lane, "lane")
    if request.keep_minutes is not None:
        _set(ticket, contract.keep_receipt_minutes, request.keep_minutes)
    if request.arguments is not None:
        ticket_arguments.give(ticket, contract, request.arguments)
    ticket.root_object = request.root
    forget_not_saved(ticket, contract)
    return ticket


def earliest_of(at: datetime | None, after: timedelta | None, not_after: datetime | None) -> datetime | None:
    """Return the time before which a ticket is not to run. Raises `BadRequest` if it expires before that."""
    if at is not None and after is not None:
        raise BadRequest("Give at= or after=, not both.")
    earliest = now() + after if after is not None else None if at is None else aware(at, "at=")
    latest = latest_of(not_after)
    if earliest is not None and latest is not None and latest < earliest:
        raise BadRequest(f"It could never run: not_after={latest} is before {earliest}, from which on it may.")
    return earliest


def latest_of(not_after: datetime | None) -> datetime | None:
    """Return the time after which a ticket is not to begin."""
    return None if not_after is None else aware(not_after, "not_after=")


def minutes_of(keep: timedelta) -> int:
    """Return the whole minutes for which a receipt is kept. Raises `BadRequest` for less than none."""
    if keep < timedelta(0):
        raise BadRequest(f"keep={keep}: a receipt can't be kept for less than no time.")
    return -(-keep // timedelta(minutes=1))


def _set(ticket: Any, attribute: ContractAttribute | None, value: Any, argument: str = "") -> None:
    """Set an attribute of a ticket. Raises `BadRequest`, naming the argument, if the ticket class lacks it."""
    if attribute is None:
        if value is not None:
            kind = type(value).__name__
            how = (
                f"Add it, {argument}: Mapped[{kind} | None], with its column in the table, or ask without {argument}=."
            )
            raise BadRequest(f"{argument}={value!r} was asked for, but {CLASS_NAME} has no attribute {argument}. {how}")
    else:
        setattr(ticket, attribute.name, value)

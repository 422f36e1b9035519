"""`aw.later`: ask for work, in the transaction of the object that it is about.

With `unique`, one ticket is pending for each root and work, however many transactions ask at once. A run that has begun
may have read the data before this transaction changed it. So a pending ticket is joined only by locking its row, which
keeps it from beginning before this transaction has ended.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from sqlalchemy import ColumnElement, Connection, inspect, or_, select
from sqlalchemy.orm import InstanceState, Session, object_session, undefer

from afterwork.clock import now
from afterwork.compat.sqlalchemy_session import new_objects
from afterwork.errors import BadRequest, ModelError, NoSession, shown
from afterwork.model.awaiting import asking
from afterwork.model.contract import CLASS_NAME, HOW_TO_HAVE_TICKETS, Contract, ContractAttribute, timestamp_for
from afterwork.model.external_id import external_id_or_none
from afterwork.model.lane import MAIN, Lane, lane_name
from afterwork.model.method import BoundMethod, Ticket
from afterwork.model.requests import request_work
from afterwork.model.ticket import ROOT, ticket_contract
from afterwork.model.utc_datetime import aware
from afterwork.model.viewmodel import ViewModel
from afterwork.model.work import name_of_method
from afterwork.saving.current_work import begun_tickets
from afterwork.saving.ticket_rows import forget_not_saved
from afterwork.store.dialects import locks_of
from afterwork.store.readable_values import in_calendar
from afterwork.store.tickets.columns import has_begun, is_pending
from afterwork.store.untracked_statements import OWN


def pending_ticket(session: Session, contract: Contract, work: str, root_id: str) -> Any | None:
    """Lock and return the pending ticket of a root and work that has not begun; None without one.

    Until this transaction ends, no other one gets an answer for the same root and work.
    """
    same = (contract.root_id.column == root_id) & (contract.view_model.column == work) & is_pending(contract)
    locks = locks_of(session.get_bind(contract.mapper).dialect.name)
    lock = locks.lock_name(f"{root_id} {work}", contract.root_id.column, same)
    session.execute(lock, execution_options=OWN)
    query = (
        select(contract.mapper.class_)
        .where(same, *_has_not_begun(session, contract, work, root_id), *_is_readable(session, contract))
        .order_by(contract.key.column)
        .limit(1)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True, **OWN)
    )
    if contract.not_after is not None:
        query = query.options(undefer(getattr(contract.mapper.class_, contract.not_after.name)))
    return session.scalars(query).first()


def _has_not_begun(session: Session, contract: Contract, work: str, root_id: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions for tickets that have begun neither elsewhere nor in the session's transaction."""
    yield ~has_begun(contract.key.column)
    begun = begun_tickets(session, work, root_id)
    if begun:
        yield contract.key.column.not_in(begun)


def _is_readable(session: Session, contract: Contract) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions under which a ticket can be loaded as an object. No other ticket is joined."""
    dialect = session.get_bind(contract.mapper).dialect.name
    for attribute in (contract.execute_earliest, contract.created, contract.delete_time, contract.not_after):
        if attribute is not None:
            yield or_(attribute.column.is_(None), in_calendar(attribute.column, dialect))


class Declared(Enum):
    """Stands for "as the work declares it"."""

    LANE = "the lane that the work declares"


@dataclass(frozen=True)
class Request:
    """A request for a work by name, on a root. Timestamps are aware, and None asks for nothing special.

    `lane` is what the ticket's row will say. Null, which is written for `main`, means the lane that the work declares;
    "parallel" stands for the argument None. If the ticket class has no Lane, the work decides. `names_lane` says
    whether the caller gave a lane.
    """

    work: str
    root: Any
    lane: str | None
    names_lane: bool
    earliest: datetime | None
    latest: datetime | None
    priority: int | None
    keep_minutes: int | None


def session(obj: object) -> Session:
    """Return the session of a mapped object, or, for a view model that runs, the session of its run.

    Raises `NoSession` if it is in none, and `BadRequest` for anything else.
    """
    if not isinstance(obj, ViewModel) and not isinstance(inspect(obj, raiseerr=False), InstanceState):
        raise BadRequest(f"{shown(obj)} is no object of a mapped class, so it is in no session.")
    own_session = obj.session_of_run if isinstance(obj, ViewModel) else object_session(obj)
    if own_session is None:
        raise NoSession(f"This {type(obj).__name__} is in no session. Add it to one first: session.add(obj).")
    return own_session


def connection_of(obj: object) -> Connection:
    """Return the connection by which the session of a mapped object reads it. Raises `NoSession` if it is in none."""
    return session(obj).connection(bind_arguments={"mapper": inspect(obj).mapper})


@request_work.register
@asking("aw.later(…)")
def later(
    work: BoundMethod[Any, Ticket] | ViewModel[Any, Ticket],
    *,
    at: datetime | None = None,
    after: timedelta | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
    lane: str | Lane | Declared | None = Declared.LANE,
    unique: bool = False,
    not_after: datetime | None = None,
) -> Ticket:
    """Ask for a method or view model to run on its object, once the object's transaction has committed.

        aw.later(customer.assign_number)
        aw.later(order.remind, after=timedelta(days=3), unique=True)
        aw.later(TheCustomerNumberAssigner(customer))

    `at` (aware) or `after` delay it; in a run, `after` counts by the clock of its server. `keep` is how long its
    receipt stays, in whole minutes (default 10). Priority 1 runs before 2, None last. `lane` overrules the lane that
    the work declares; None runs it in parallel. A ticket whose turn comes later than `not_after` (aware) ends with an
    Error that says so, and is not run.
    `unique=True` returns the pending ticket of the same root and work, if one has not begun yet: brought forward if
    this call asks for an earlier time or a higher priority, and given longer if `not_after` is later.

    Returns the ticket, a row of the model's SysAsyncTicket in the object's own session. Type checkers take it for an
    `aw.AsyncTicket`, unless the model names its class: `class Base(aw.Model["SysAsyncTicket"], DeclarativeBase)`.
    Raises `NoSession`, `NaiveDatetime`, `BadRequest`, and `ModelError` if the model has no ticket class.
    """
    name, root, declared = _named(work)
    own_lane = _lane(lane, declared)
    own_session, contract = session(root), _contract(root)
    _check(after, keep, priority, unique)
    earliest, latest = _earliest(at, after), _latest(not_after)
    if earliest is not None and latest is not None and latest < earliest:
        raise BadRequest(f"It could never run: not_after={latest} is before {earliest}, from which on it may.")
    minutes = None if keep is None else _minutes(keep)
    request = Request(name, root, own_lane, not isinstance(lane, Declared), earliest, latest, priority, minutes)
    pending = _pending(own_session, contract, request) if unique else None
    if pending is not None:
        return _join(pending, contract, request)  # type: ignore[no-any-return]
    ticket = _new_ticket(own_session, contract, request)
    own_session.add(ticket)
    return ticket  # type: ignore[no-any-return]


def _named(work: BoundMethod[Any, Any] | ViewModel[Any, Any]) -> tuple[str, Any, str | Lane | None]:
    """Return the name of a work, its root, and the lane that it declares."""
    match work:
        case BoundMethod(target=root, method=method):
            session(root)
            return name_of_method(inspect(root).mapper, method), root, method.lane
        case ViewModel(root=root):
            return type(work).__name__, root, work.lane
    raise BadRequest(
        f"{shown(work)} is no work. Give a method marked with @aw.method, without calling it: "
        "aw.later(customer.assign_number), or a view model on its root: aw.later(Assigner(customer))."
    )


def _check(after: object, keep: object, priority: object, unique: object) -> None:
    """Raise `BadRequest` for an argument of a wrong type, which the database would refuse later, or keep."""
    for name, value, kind, wanted in (
        ("after", after, timedelta, "a timedelta: timedelta(hours=1)"),
        ("keep", keep, timedelta, "a timedelta: timedelta(days=1)"),
        ("priority", priority, int, "a whole number: 1 runs before 2"),
        ("unique", unique, bool, "True or False"),
    ):
        if value is not None and not isinstance(value, kind):
            raise BadRequest(f"{name}={shown(value)}: give {wanted}.")


def _lane(lane: str | Lane | Declared | None, declared: str | Lane | None) -> str | None:
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
    _set(ticket, earliest, _stored(earliest, contract, session, request.earliest))
    if request.latest is not None:
        _set(ticket, latest, _stored(latest, contract, session, request.latest), "not_after")
    _set(ticket, contract.priority, request.priority, "priority")
    if contract.lane is not None or request.names_lane:
        _set(ticket, contract.lane, request.lane, "lane")
    if request.keep_minutes is not None:
        _set(ticket, contract.keep_receipt_minutes, request.keep_minutes)
    ticket.root_object = request.root
    forget_not_saved(ticket, contract)
    return ticket


def _join(ticket: Any, contract: Contract, request: Request) -> Any:
    _bring_forward(ticket, contract, request)
    _give_longer(ticket, contract, request.latest)
    return ticket


def _contract(root: object) -> Contract:
    contract = ticket_contract(root)
    if contract is None:
        raise ModelError([f"The model of {type(root).__name__} has no class {CLASS_NAME}. {HOW_TO_HAVE_TICKETS}"])
    return contract


def _earliest(at: datetime | None, after: timedelta | None) -> datetime | None:
    if at is not None and after is not None:
        raise BadRequest("Give at= or after=, not both.")
    if after is not None:
        return now() + after
    return None if at is None else aware(at, "at=")


def _latest(not_after: datetime | None) -> datetime | None:
    return None if not_after is None else aware(not_after, "not_after=")


def _minutes(keep: timedelta) -> int:
    if keep < timedelta(0):
        raise BadRequest(f"keep={keep}: a receipt can't be kept for less than no time.")
    return -(-keep // timedelta(minutes=1))


def _stored(
    attribute: ContractAttribute | None, contract: Contract, session: Session, timestamp: datetime | None
) -> datetime | None:
    """Return a timestamp as an attribute stores it. The session needs no database if no timestamp is given."""
    if timestamp is None or attribute is None:
        return timestamp
    return timestamp_for(attribute.column, session.get_bind(contract.mapper).dialect.name, timestamp)


def _set(ticket: Any, attribute: ContractAttribute | None, value: Any, argument: str = "") -> None:
    """Set an attribute of a ticket. Raises `BadRequest`, naming the argument, if the ticket class lacks it."""
    if attribute is None:
        if value is not None:
            raise BadRequest(f"{argument}={value!r} was asked for, but {CLASS_NAME} has no attribute {argument}.")
    else:
        setattr(ticket, attribute.name, value)


def _pending(session: Session, contract: Contract, request: Request) -> Any | None:
    for other in new_objects(session):
        same_root = type(other) is contract.mapper.class_ and vars(other).get(ROOT) is request.root
        if same_root and getattr(other, contract.view_model.name) == request.work:
            return other
    root_id = external_id_or_none(request.root)
    if root_id is None:
        return None
    with asking("aw.later(…, unique=True)"):
        return pending_ticket(session, contract, request.work, root_id)


def _bring_forward(ticket: Any, contract: Contract, request: Request) -> None:
    """Let a pending ticket run as early, and with as high a priority, as a request asks for."""
    present = getattr(ticket, contract.execute_earliest.name)
    if present is not None:
        wanted = _stored(contract.execute_earliest, contract, session(ticket), request.earliest)
        if wanted is None or wanted < present:
            setattr(ticket, contract.execute_earliest.name, wanted)
    if contract.priority is not None and request.priority is not None:
        present_priority = getattr(ticket, contract.priority.name)
        if present_priority is None or request.priority < present_priority:
            setattr(ticket, contract.priority.name, request.priority)


def _give_longer(ticket: Any, contract: Contract, latest: datetime | None) -> None:
    """Let a pending ticket not expire before `latest`."""
    attribute = contract.not_after
    present = None if attribute is None else getattr(ticket, attribute.name)
    if attribute is not None and present is not None:
        wanted = _stored(attribute, contract, session(ticket), latest)
        if wanted is None or wanted > present:
            setattr(ticket, attribute.name, wanted)

"""`aw.after` and `aw.chain`: tickets that wait for others, saved in the transaction that asks for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from sqlalchemy import Executable, delete, insert, inspect, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, Session, object_session
from sqlalchemy.orm.attributes import set_committed_value

from afterwork.errors import BadRequest, NotInstalled, shown
from afterwork.model.awaiting import asking
from afterwork.model.contract import Contract
from afterwork.model.flow import AWAITING, IfFailed
from afterwork.model.job_function import JobFunction
from afterwork.model.key import key_text
from afterwork.model.lane import Lane
from afterwork.model.method import BoundMethod, GivenWork, Ticket
from afterwork.model.ticket import IN_FLOWS, WAIT, contract_of
from afterwork.model.viewmodel import ViewModel
from afterwork.saving.current_work import REQUESTS_AT_END
from afterwork.saving.later import Declared, later
from afterwork.saving.later_many import ManyTickets
from afterwork.saving.request import stored_timestamp
from afterwork.saving.sessions import AnySession
from afterwork.saving.wanted_work import wanted_of
from afterwork.store import tables
from afterwork.store.tickets.columns import aware as aware_or_utc
from afterwork.store.untracked_statements import OWN

AT_ONCE = 1000
"""The most prerequisites that one statement looks at."""

FlowWork = BoundMethod[Any, Ticket] | GivenWork[Ticket] | ViewModel[Any, Ticket] | JobFunction[Any, Ticket]


@dataclass(frozen=True)
class Wait:
    """The tickets that a new one waits for, what a failure means, and its own earliest time."""

    tickets: Sequence[Any]
    many: Sequence[ManyTickets]
    if_failed: IfFailed
    earliest: datetime | None


@asking("aw.after(…)")
def after(
    tickets: "Iterable[object] | ManyTickets",
    work: FlowWork[Ticket],
    *,
    if_failed: IfFailed = "cancel",
    session: AnySession | None = None,
    at: datetime | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
    lane: str | Lane | Declared | None = Declared.LANE,
    not_after: datetime | None = None,
) -> Ticket:
    """Ask for a work to run once other tickets have ended well.

        join = aw.after([aw.later(order.pack), aw.later(order.bill)], order.ship)
        aw.after(aw.later_many(customer.write_to for customer in customers), campaign.finish, if_failed="run")

    `tickets` are tickets that `aw.later` and `aw.after` have returned or that were loaded, and those of
    `aw.later_many`; all in the session of the work. With none, the work is due at once. `if_failed` says what it means
    if one of them ends with an Error, is cancelled or expires: "cancel" cancels this ticket, too; "run" lets it run
    when all have ended; "wait" waits until the failed one was retried and has ended well. One that is deleted before it
    has ended counts as failed, for good. `session`, `at`, `keep`, `priority`, `lane` and `not_after` are those of
    `aw.later`.

    Returns the ticket. Raises `BadRequest` for tickets that were never added, are of another session or have ended with
    an Error, and what `aw.later` raises.
    """
    if if_failed not in get_args(IfFailed):
        raise BadRequest(f'if_failed={shown(if_failed)}: give "cancel", "run" or "wait".')
    wanted = wanted_of(work)
    own_session, contract = wanted.session(session), wanted.contract()
    single, many = _told_apart(tickets)
    for each in single:
        _check(each, own_session, contract, if_failed)
    for each in many:
        each.check(own_session, contract)
    ticket = later(
        work, session=session, at=at, keep=keep, priority=priority, lane=lane, not_after=not_after
    )  # fmt: skip
    if single or any(each.keys for each in many):
        _let_wait(ticket, own_session, contract, single, many, if_failed)
    return ticket


def chain(*works: FlowWork[Ticket], if_failed: IfFailed = "cancel", session: AnySession | None = None) -> list[Ticket]:
    """Ask for works that run one after the other, each when the one before it has ended well.

        reserved, charged, shipped = aw.chain(order.reserve, order.charge, order.ship)

    Returns their tickets, in order. `if_failed` and `session` are those of `aw.after`, and so is what it raises.
    """
    tickets: list[Ticket] = []
    for work in works:
        tickets.append(after(tickets[-1:], work, if_failed=if_failed, session=session))
    return tickets


def _told_apart(tickets: object) -> tuple[list[Any], list[ManyTickets]]:
    if isinstance(tickets, ManyTickets):
        return [], [tickets]
    if not isinstance(tickets, Iterable) or isinstance(tickets, str | bytes):
        raise BadRequest(f"aw.after waits for tickets, not for {shown(tickets)}. Give a list: aw.after([ticket], …)")
    every = list({id(each): each for each in tickets}.values())
    many = [each for each in every if isinstance(each, ManyTickets)]
    return [each for each in every if not isinstance(each, ManyTickets)], many


def _check(ticket: object, session: Session, contract: Contract, if_failed: IfFailed) -> None:
    """Raise `BadRequest` for what can't be waited for."""
    if type(ticket) is not contract.mapper.class_:
        raise BadRequest(
            f"aw.after waits for tickets of the class {contract.mapper.class_.__name__} of this model, not for "
            f"{shown(ticket)}. Ask for it first: aw.after([aw.later(…)], …)"
        )
    state: Any = inspect(ticket)
    if object_session(ticket) is not session:
        where = "another session" if object_session(ticket) is not None else "no session"
        raise BadRequest(
            f"{_named(ticket, contract)} is in {where}, and so not saved in the transaction of what waits for it. Add "
            "it first, session.add(ticket), or load it there."
        )
    if any(each.ticket is ticket for each in session.info.get(REQUESTS_AT_END, ())):
        raise BadRequest(
            f"{_named(ticket, contract)} was asked for with unique=, and an external run finds out only when it "
            "returns whether that is a ticket of its own, so nothing can wait for it before. Ask for an ordinary "
            "method that asks for both."
        )
    if state.deleted or ticket in session.deleted:
        raise BadRequest(f"{_named(ticket, contract)} was deleted: nothing can wait for it.")
    if state.persistent and if_failed == "cancel" and getattr(ticket, contract.error.name) is not None:
        raise BadRequest(
            f"{_named(ticket, contract)} has ended with an Error, so what waits for it would be cancelled at once. "
            'Retry it first, or say if_failed="run" or "wait".'
        )


def _named(ticket: object, contract: Contract) -> str:
    known = vars(ticket)
    key, work = known.get(contract.key.name), known.get(contract.view_model.name)
    return f"The ticket{'' if key is None else f' {key}'}{'' if work is None else f' for {work}'}"


def _let_wait(
    ticket: Any,
    session: Session,
    contract: Contract,
    tickets: Sequence[Any],
    many: Sequence[ManyTickets],
    if_failed: IfFailed,
) -> None:
    attribute = contract.execute_earliest
    vars(ticket)[WAIT] = Wait(tickets, many, if_failed, getattr(ticket, attribute.name))
    setattr(ticket, attribute.name, stored_timestamp(attribute, contract, session, AWAITING))


def note(mapper: Mapper[Any], connection: object, ticket: Any) -> None:
    """Note a ticket about to be inserted that waits for others. Listens to SQLAlchemy."""
    if WAIT in vars(ticket) and (session := object_session(ticket)) is not None:
        session.info.setdefault(IN_FLOWS, []).append(ticket)


def save_flows(session: Session) -> None:
    """Write what the tickets of a flush wait for. Raises `BadRequest` for a ticket that was not saved."""
    by_contract: dict[Contract, list[Any]] = {}
    for ticket in session.info.pop(IN_FLOWS, ()):
        by_contract.setdefault(contract_of(type(ticket)), []).append(ticket)
    for contract, tickets in by_contract.items():
        _Saving(session, contract).save(tickets)


@dataclass(frozen=True)
class _Saving:
    """The flows of a flush, of one ticket class."""

    session: Session
    contract: Contract

    def save(self, tickets: Sequence[Any]) -> None:
        waiting: list[dict[str, Any]] = []
        pairs: list[dict[str, Any]] = []
        for ticket in tickets:
            wait, own = vars(ticket).pop(WAIT), key_text(getattr(ticket, self.contract.key.name))
            ends = self._ends(wait)
            pending = sum(outcome is None for outcome in ends.values())
            if not pending:
                self._release(ticket, wait)
                continue
            earliest = aware_or_utc(wait.earliest)
            waiting.append(
                {"ticket": own, "prerequisites": len(ends), "pending": pending, "if_failed": wait.if_failed}
                | {"earliest": earliest}
            )
            pairs += (
                {"ticket": own, "prerequisite": prerequisite, "outcome": outcome}
                for prerequisite, outcome in ends.items()
            )
        if waiting:
            self._forget_others([flow["ticket"] for flow in waiting])
            self._execute(insert(tables.flow), waiting)
            self._execute(insert(tables.prerequisite), pairs)

    def _forget_others(self, keys: Sequence[str]) -> None:
        """Delete the flows of tickets that had these keys before: a table may have been made anew."""
        for first in range(0, len(keys), AT_ONCE):
            chunk = keys[first : first + AT_ONCE]
            if self._execute(delete(tables.flow).where(tables.flow.c.ticket.in_(chunk))).rowcount:
                self._execute(delete(tables.prerequisite).where(tables.prerequisite.c.ticket.in_(chunk)))

    def _ends(self, wait: Wait) -> dict[str, str | None]:
        """Return the tickets that are waited for, by the texts of their keys, each with its end if that counts."""
        new: list[Any] = []
        saved: list[Any] = []
        for needed in wait.tickets:
            key = getattr(needed, self.contract.key.name)
            if key is None:
                raise BadRequest(
                    f"{_named(needed, self.contract)} was not saved, and another one waits for it. Flush it first."
                )
            (new if inspect(needed).pending else saved).append(key)
        for many in wait.many:
            (new if many.is_of(self.session) else saved).extend(many.keys)
        ends: dict[str, str | None] = dict.fromkeys(map(key_text, (*new, *saved)))
        for first in range(0, len(saved), AT_ONCE):
            ends |= self._locked(saved[first : first + AT_ONCE], wait.if_failed)
        return ends

    def _locked(self, keys: Sequence[Any], if_failed: IfFailed) -> dict[str, str | None]:
        """Lock tickets, so that they can't end before this transaction does, and return which have ended.

        One that somebody else has locked may be ending now: servers look after it, later."""
        c = self.contract
        query = (
            select(c.key.column, c.done.column.is_(None), c.error.column.is_not(None))
            .where(c.key.column.in_(keys))
            .with_for_update(read=True, skip_locked=True)
        )
        ends: dict[str, str | None] = {}
        for key, is_pending, has_error in self._execute(query):
            if has_error:
                ends[key_text(key)] = "failed" if if_failed == "run" else None
            elif not is_pending:
                ends[key_text(key)] = "done"
        return ends

    def _release(self, ticket: Any, wait: Wait) -> None:
        """Let a ticket run in its own time: all that it waits for has ended."""
        c = self.contract
        values = {c.execute_earliest.column: wait.earliest}
        of_ticket = c.key.column == getattr(ticket, c.key.name)
        self._execute(update(c.table).where(of_ticket).values(values))
        set_committed_value(ticket, c.execute_earliest.name, wait.earliest)

    def _execute(self, statement: Executable, rows: Sequence[dict[str, Any]] | None = None) -> Any:
        where = {"mapper": self.contract.mapper}
        try:
            return self.session.execute(statement, rows, bind_arguments=where, execution_options=OWN)
        except DBAPIError as error:
            if any(words in str(error.orig) for words in ("no such table", "does not exist")):
                raise NotInstalled(self.session.get_bind(self.contract.mapper).engine.url.render_as_string()) from error
            raise

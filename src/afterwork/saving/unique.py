"""Unique requests: one ticket is pending for each root and work, and for each of their arguments that count, or one is
made in a period.

A run that has begun may have read the data before this transaction changed it. So a pending ticket is joined only by
locking its row, which keeps it from beginning before this transaction has ended.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session, undefer

from afterwork.compat.sqlalchemy_session import new_objects
from afterwork.errors import BadRequest
from afterwork.model.awaiting import asking
from afterwork.model.contract import CLASS_NAME, Contract, timestamp_for
from afterwork.model.external_id import external_id_or_none
from afterwork.model.flow import AWAITING
from afterwork.model.ticket import ARGUMENTS, ROOT, WAIT
from afterwork.saving.current_work import REQUESTS_AT_END, begun_tickets
from afterwork.saving.sameness import Sameness
from afterwork.store.dialects import locks_of
from afterwork.store.readable_values import in_calendar
from afterwork.store.tickets.columns import TicketColumns, has_begun, is_pending
from afterwork.store.untracked_statements import OWN


@dataclass(frozen=True)
class UniqueRequest:
    """A request for a work by name, on a root, that joins a ticket which asks for the same.

    With `since`, a ticket that was made then or later counts even if its run has begun, or is done."""

    session: Session
    contract: Contract
    work: str
    root: Any
    sameness: Sameness
    since: datetime | None = None

    def pending(self) -> Any | None:
        """Return the pending ticket that asks for the same, new or locked; None without one."""
        new = self.new()
        return self.stored() if new is None else new

    def new(self) -> Any | None:
        """Return the ticket of the session that asks for the same and is not saved yet; None without one."""
        for other in new_objects(self.session):
            same_root = type(other) is self.contract.mapper.class_ and vars(other).get(ROOT) is self.root
            if (
                same_root
                and WAIT not in vars(other)
                and getattr(other, self.contract.view_model.name) == self.work
                and self._is_same(other)
            ):
                return other
        return None

    def stored(self) -> Any | None:
        """Return the pending ticket in the database that asks for the same, locked; None without one."""
        root_id = self._root_id
        if root_id is None and self.root is not None:
            return None
        with asking("aw.later(…, unique=True)"):
            return self._pending_in_database(root_id)

    def _is_same(self, new: Any) -> bool:
        """Return whether a ticket that is not saved yet asks for the same."""
        attribute, waiting = self.contract.arguments, vars(new).get(ARGUMENTS)
        if waiting is not None:
            return self.sameness.has(waiting.described())
        stored = None if attribute is None else vars(new).get(attribute.name)
        return self.sameness.has(json.dumps(stored) if isinstance(stored, dict) else stored)

    def _pending_in_database(self, root_id: str | None) -> Any | None:
        """Lock and return the ticket that has not begun.

        Until this transaction ends, no other one gets an answer for the same root and work.
        """
        self.lock()
        tickets = self._tickets([self._is_pending_for(root_id), *self._has_not_begun(root_id)])
        return self.session.scalars(tickets.with_for_update(skip_locked=True)).first()

    def lock(self) -> None:
        """Let no other transaction get an answer for the same root and work until this one ends."""
        column = self.contract.root_id.column
        lock = locks_of(self._dialect).lock_name(self.name, column, self._is_pending_for(self._root_id))
        self.session.execute(lock, execution_options=OWN)

    @property
    def name(self) -> str:
        """Return the name that is locked."""
        return f"{self._root_id or ''} {self.work}"

    @property
    def _root_id(self) -> str | None:
        return None if self.root is None else external_id_or_none(self.root)

    def recent(self) -> Any | None:
        """Return a ticket of the period that asks for the same and has begun or is done; None without one.

        One that ended with an Error does not count: what it asked for was not done.
        """
        contract, root_id = self.contract, self._root_id
        if self.since is None or (root_id is None and self.root is not None):
            return None
        if contract.created is None:
            raise BadRequest(f"unique= for a period needs an attribute Created, which {CLASS_NAME} has not.")
        created = contract.created.column
        is_recent = created >= timestamp_for(created, self._dialect, self.since)
        with asking("aw.later(…, unique=timedelta(…))"):
            conditions = [self._is_asked_of(root_id), contract.error.column.is_(None), is_recent]
            return self.session.scalars(self._tickets(conditions)).first()

    @property
    def _dialect(self) -> str:
        return self.session.get_bind(self.contract.mapper).dialect.name

    def _is_pending_for(self, root_id: str | None) -> ColumnElement[bool]:
        return self._is_asked_of(root_id) & is_pending(self.contract)

    def _is_asked_of(self, root_id: str | None) -> ColumnElement[bool]:
        return (self.contract.root_id.column == root_id) & (self.contract.view_model.column == self.work)

    def _tickets(self, conditions: Sequence[ColumnElement[bool]]) -> Select[Any]:
        """Return the query for the first ticket under these conditions that asks for the same."""
        contract, session, dialect = self.contract, self.session, self._dialect
        # One that waits for others, in a flow, is no answer to whoever asks for a time.
        earliest = contract.execute_earliest.column
        is_in_no_flow = or_(earliest.is_(None), earliest != timestamp_for(earliest, dialect, AWAITING))
        conditions = [*conditions, is_in_no_flow, *_is_readable(contract, dialect)]
        if contract.arguments is not None and self.sameness.names:
            texts = TicketColumns(contract, contract.table, dialect).arguments
            rows = session.execute(select(contract.key.column, texts).where(*conditions), execution_options=OWN)
            conditions.append(contract.key.column.in_([key for key, text in rows if self.sameness.has(text)]))
        query = (
            select(contract.mapper.class_)
            .where(*conditions)
            .order_by(contract.key.column)
            .limit(1)
            .execution_options(populate_existing=True, **OWN)
        )
        if contract.not_after is not None:
            query = query.options(undefer(getattr(contract.mapper.class_, contract.not_after.name)))
        return query

    def at_end(self) -> "list[RequestAtEnd] | None":
        """Return the requests that wait for the end of the session's run; None if it is decided at once."""
        return self.session.info.get(REQUESTS_AT_END)

    def _has_not_begun(self, root_id: str | None) -> Iterator[ColumnElement[bool]]:
        """Yield the conditions for tickets that have begun neither elsewhere nor in the session's transaction."""
        yield ~has_begun(self.contract.key.column)
        begun = begun_tickets(self.session, self.work, root_id)
        if begun:
            yield self.contract.key.column.not_in(begun)


@dataclass(frozen=True)
class RequestAtEnd:
    """A unique request of an external run, with the new ticket that is saved unless another one is pending.

    Until the run ends, it has no transaction in which a pending ticket could be locked. `join` gives that the options
    of the request.
    """

    request: UniqueRequest
    ticket: Any
    join: Callable[[Any], object]

    def decide(self) -> None:
        """Join the ticket that is pending by now, or save the new one, in the transaction that saves the run."""
        pending = self.request.stored()
        if pending is not None:
            self.join(pending)
        elif self.request.recent() is None:
            self.request.session.add(self.ticket)


def decide_at_end(session: Session, requests: Sequence[RequestAtEnd]) -> None:
    """Decide unique requests, one after the other, once all else is saved that their run has changed.

    All locks are taken before, in the order of their names: two runs that ask in opposite orders don't wait for each
    other."""
    wanted = [each for each in requests if each.ticket in session]
    for each in wanted:
        session.expunge(each.ticket)
    session.flush()
    by_name = {each.request.name: each.request for each in wanted}
    if len(by_name) > 1:
        for name in sorted(by_name):
            by_name[name].lock()
    for each in wanted:
        each.decide()
        session.flush()


def _is_readable(contract: Contract, dialect: str) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions under which a ticket can be loaded as an object. No other ticket is joined."""
    for attribute in (contract.execute_earliest, contract.created, contract.delete_time, contract.not_after):
        if attribute is not None:
            yield or_(attribute.column.is_(None), in_calendar(attribute.column, dialect))

"""All statements on the ticket table. Each is built once; none costs more because many tickets have ended."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from typing import Any, get_args

from sqlalchemy import JSON, ColumnElement, Connection, Select, Update, bindparam, delete, null, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from afterwork.errors import NotWritten
from afterwork.model.contract import Contract
from afterwork.model.flow import PrerequisiteEnd
from afterwork.model.key import key_text
from afterwork.store import steps
from afterwork.store.direct_statement import DirectStatement
from afterwork.store.key_lists import padded
from afterwork.store.readable_values import UndecodableText
from afterwork.store.texts import fitted
from afterwork.store.tickets.claiming import ClaimableTickets
from afterwork.store.tickets.columns import TicketColumns
from afterwork.store.tickets.end_forms import AS_ASKED
from afterwork.store.tickets.flows import Flows, is_prerequisite
from afterwork.store.tickets.rows import EndedTicket, TicketRow
from afterwork.store.tickets.ticket_table import Still, TicketTable


class EndingTickets(TicketTable):
    """The statements that end tickets, put them off, and delete their receipts."""

    @cached_property
    def flows(self) -> Flows:
        return Flows(self)

    @cached_property
    def _end(self) -> dict[tuple[bool, bool, Still], DirectStatement]:
        return {
            (error, many, still): DirectStatement(self._returning(self._ending(error, many, still)))
            for error in (True, False)
            for many in (True, False)
            for still in get_args(Still)
        }

    @cached_property
    def _end_with_result(self) -> dict[Still, DirectStatement]:
        return {still: DirectStatement(self._returning(self._ending_with_result(still))) for still in get_args(Still)}

    @cached_property
    def _end_each_with_result(self) -> dict[Still, DirectStatement]:
        return {still: DirectStatement(self._ending_with_result(still)) for still in get_args(Still)}

    def _ending_with_result(self, still: Still) -> Update:
        assert self.contract.result is not None  # otherwise no result is kept
        column = self.contract.result.column
        return self._ending(False, False, still).values({column: bindparam("afterwork_result", type_=column.type)})

    def end(self, connection: Connection, ended: Sequence[EndedTicket], now: datetime) -> None:
        """Write Done, DeleteTime, Error and Attempts. Raise `NotWritten` if a trigger silently prevented it."""
        written = self._end_all(connection, ended, now, "whatever", {})
        if written.count < len(ended):
            self._check_ended(connection, ended)
        if written.is_prerequisite:
            self._decide_flows(connection, ended, now)

    def _decide_flows(self, connection: Connection, ended: Sequence[EndedTicket], now: datetime) -> None:
        ends: dict[str, PrerequisiteEnd] = {
            key_text(each.row.key): "done" if each.error is None else "failed" for each in ended
        }
        self.flows.decide(connection, ends, now)

    def _check_ended(self, connection: Connection, ended: Sequence[EndedTicket]) -> None:
        c = self.columns
        left = select(c.key).where(c.key.in_([ticket.row.key for ticket in ended]), c.pending)
        if connection.execute(left.limit(1)).first() is not None:
            raise NotWritten(self.contract.table.name)

    def end_odd(self, connection: Connection, ticket: EndedTicket, now: datetime) -> None:
        """End, with an Error, a ticket on SQLite that no claim could name; its key may be `UndecodableText`."""
        c = self.contract
        values = {
            c.done.column: self.moment(now),
            c.delete_time.column: self.moment(now + timedelta(minutes=ticket.keep_minutes)),
            c.error.column: fitted(connection, c.error.column, ticket.error or ""),
        }
        is_it = self._has_key(ticket.row.key), self.columns.pending
        connection.execute(update(c.table).where(*is_it).values(values))
        if not isinstance(ticket.row.key, UndecodableText):
            self._decide_flows(connection, [ticket], now)

    def end_batch(self, connection: Connection, ended: Sequence[EndedTicket], now: datetime, lane: str | None) -> int:
        """End those of several tickets that are still due, and return their number.

        If they were claimed in the order of one lane, they must also be at the same position of it.
        """
        written = self._end_due(connection, ended, now, lane)
        if written.is_prerequisite and written.count == len(ended):
            self._decide_flows(connection, ended, now)
        return written.count

    def _end_due(
        self, connection: Connection, ended: Sequence[EndedTicket], now: datetime, lane: str | None
    ) -> "_Written":
        if lane is None:
            return self._end_all(connection, ended, now, "due", {})
        priorities: dict[int, list[EndedTicket]] = {}
        for ticket in ended:
            priorities.setdefault(ticket.row.priority, []).append(ticket)
        written = _Written()
        for priority, same_priority in priorities.items():
            place = {"afterwork_its_lane": lane, "afterwork_its_priority": priority}
            written += self._end_all(connection, same_priority, now, "in place", place)
        return written

    def _end_all(
        self,
        connection: Connection,
        ended: Sequence[EndedTicket],
        now: datetime,
        still: Still,
        place: Mapping[str, object],
    ) -> "_Written":
        written = _Written()
        alike: dict[tuple[int, str | None], list[Any]] = {}
        with_result: list[EndedTicket] = []
        for ticket in ended:
            if ticket.result is not None:
                with_result.append(ticket)
            elif ticket.form == AS_ASKED:
                error = None if ticket.error is None else fitted(connection, self.contract.error.column, ticket.error)
                alike.setdefault((ticket.keep_minutes, error), []).append(ticket.row.key)
            else:
                written += _Written(self._end_in_form(connection, ticket, self.moment(now)), is_prerequisite=True)
        place = place if still == "whatever" else {"afterwork_at": self.moment(now), **place}
        for (keep, error), keys in alike.items():
            many = len(keys) > 1
            values = {
                **self._end_times(now, keep),
                "afterwork_which": padded(keys) if many else keys[0],
                **({} if error is None else {"afterwork_why": error}),
                **place,
            }
            written += _Written.of(self._end[error is not None, many, still].execute(connection, values))
        return written + self._end_each(connection, with_result, now, still, place)

    def _end_times(self, now: datetime, keep: int) -> dict[str, datetime]:
        return {
            "afterwork_ended": self.moment(now),
            "afterwork_until": self.moment(now + timedelta(minutes=keep)),
        }

    def _end_each(
        self,
        connection: Connection,
        ended: Sequence[EndedTicket],
        now: datetime,
        still: Still,
        place: Mapping[str, object],
    ) -> "_Written":
        """End tickets with a result each, by one statement that is sent for all of them in one go."""
        values = [
            {
                **self._end_times(now, ticket.keep_minutes),
                "afterwork_which": ticket.row.key,
                "afterwork_result": self._stored_result(ticket.result),
                **place,
            }
            for ticket in ended
        ]
        match values:
            case []:
                return _Written()
            case [only]:
                return _Written.of(self._end_with_result[still].execute(connection, only))
        # What is sent in one go returns no rows, so perhaps one is awaited.
        return _Written(self._end_each_with_result[still].change_each(connection, values), is_prerequisite=True)

    def _stored_result(self, text: str | None) -> object:
        """Return a result as its column takes it: columns of JSON take what a text says."""
        attribute = self.contract.result
        is_json = attribute is not None and isinstance(attribute.column.type, JSON)
        return json.loads(text) if is_json and text is not None else text

    def _end_in_form(self, connection: Connection, ticket: EndedTicket, ended: datetime) -> int:
        c, form, error = self.contract, ticket.form, ticket.error
        asked = {
            "done": ended,
            "delete_time": ended + timedelta(minutes=ticket.keep_minutes),
            "error": None if error is None else form.error(connection, c.error.column, error),
        }
        values = {getattr(c, name).column: value for name, value in asked.items() if name in form.attributes}
        return connection.execute(update(c.table).where(c.key.column == ticket.row.key).values(values)).rowcount

    def _returning(self, ending: Update) -> ReturningUpdate[Any]:
        # Flows are asked for here, so that tickets without any cost no statement more.
        return ending.returning(is_prerequisite(self.contract.key.column))

    def _ending(self, error: bool, many: bool, still: Still) -> Update:
        c = self.contract
        values: dict[Any, Any] = {
            c.done.column: bindparam("afterwork_ended"),
            c.delete_time.column: bindparam("afterwork_until"),
        }
        if error:
            values[c.error.column] = bindparam("afterwork_why")
        if c.result is not None:
            values[c.result.column] = null()  # an earlier end may have left one
        return self._attempted().where(self._is_among(many), *self._is_still(still)).values(values)

    def try_again(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket have another attempt, not before `until`."""
        self._set_earliest(connection, self._attempted(), row, until)

    def defer(self, connection: Connection, row: TicketRow, until: datetime) -> None:
        """Let a ticket wait until a time, as if it had not been claimed."""
        self._set_earliest(connection, update(self.contract.table), row, until)

    def _set_earliest(self, connection: Connection, statement: Update, row: TicketRow, until: datetime) -> None:
        earliest = {self.contract.execute_earliest.column: self.moment(until)}
        of_row = self.columns.key == row.key
        changed = connection.execute(statement.where(of_row).values(earliest)).rowcount
        if not changed and connection.execute(select(self.columns.key).where(of_row)).first() is not None:
            raise NotWritten(self.contract.table.name)

    def move(self, connection: Connection, keys: Sequence[Any], lane: str) -> None:
        """Move tickets to the lane that their work declares."""
        assert self.contract.lane is not None  # otherwise the work decides, and nothing can be in a wrong lane
        column = self.contract.lane.column
        connection.execute(update(self.contract.table).where(self.columns.key.in_(keys)).values({column: lane}))

    def has_expired(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition that the DeleteTime of a receipt has passed."""
        return self._expired(now).exists()

    def prune(self, connection: Connection, now: datetime, limit: int) -> int:
        """Delete up to `limit` receipts whose DeleteTime has passed. Return their number; 0 if none is left."""
        expired = self._expired(now).limit(limit).with_for_update(skip_locked=True)
        gone = delete(self.contract.table).where(self.columns.key.in_(expired)).returning(self.columns.key)
        keys = connection.execute(gone).scalars().all()
        if keys:
            gone_keys = list(map(key_text, keys))
            steps.forget(connection, gone_keys)
            self.flows.forget(connection, gone_keys)
        return len(keys)

    def _expired(self, now: datetime) -> Select[Any]:
        key = self.columns.key
        return select(key).where(self.columns.delete_time < self.moment(now), ~is_prerequisite(key))


@dataclass(frozen=True)
class _Written:
    """The number of ends that were written; `is_prerequisite` if a ticket in a flow waits for one of them."""

    count: int = 0
    is_prerequisite: bool = False

    @classmethod
    def of(cls, rows: Sequence[Any]) -> "_Written":
        """Return it from the rows that a statement has returned, one for each end."""
        return cls(len(rows), any(row[0] for row in rows))

    def __add__(self, other: "_Written") -> "_Written":
        return _Written(self.count + other.count, self.is_prerequisite or other.is_prerequisite)


class Tickets(ClaimableTickets, EndingTickets):
    """The statements on one ticket class for one kind of database: looking, claiming and ending."""


class TicketsBut(Tickets):
    """The statements on all tickets except those of some jobs, by the names in their rows, and some keys."""

    def __init__(self, contract: Contract, dialect: str, works: Collection[str], keys: Collection[Any] = ()) -> None:
        super().__init__(contract, dialect)
        self._works, self._keys = sorted(works), keys

    def _waiting(self, c: TicketColumns) -> ColumnElement[bool]:
        waiting = super()._waiting(c)
        if self._works:
            waiting &= c.work.is_(None) | c.work.not_in(self._works)
        return waiting & c.key.not_in(self._keys) if self._keys else waiting


@lru_cache(maxsize=64)
def tickets_of(contract: Contract, dialect: str) -> Tickets:
    """Return the statements on a ticket class, cached: building them takes longer than executing them."""
    return Tickets(contract, dialect)

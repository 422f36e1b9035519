"""The statements on flows: what the end of tickets means for those that wait for them.

Whoever ends tickets locks the flows that this may concern, in the order of their keys and all by one statement, before
anything is counted. So the last two of a flow can't both be taken for the last but one, and nobody waits in a circle.
Rows of tickets are only locked if nobody else has them. What is left out for that is found by the next look.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    bindparam,
    delete,
    exists,
    literal_column,
    select,
    text,
    tuple_,
    update,
)

from afterwork.errors import PrerequisiteFailed
from afterwork.model.contract import receipt_minutes
from afterwork.model.flow import AWAITING, Decision, OpenFlow, PrerequisiteEnd, by_prerequisite, decide
from afterwork.model.key import key_as_text, key_text, parse_key
from afterwork.store.tables import flow as flows
from afterwork.store.tables import prerequisite as pairs
from afterwork.store.texts import fitted
from afterwork.store.tickets.columns import aware
from afterwork.store.tickets.ticket_table import TicketTable

AT_ONCE = 1000
"""The most keys in one statement."""


# As text, and with a name that no column of a ticket class has: SQLAlchemy qualifies no names in a RETURNING of SQLite.
_PREREQUISITE = text(
    "(SELECT pair.prerequisite AS afterwork_prerequisite_key FROM afterwork_prerequisite AS pair"
    " JOIN afterwork_flow AS flow ON flow.ticket = pair.ticket"
    " WHERE pair.outcome IS NULL AND NOT flow.decided) AS afterwork_open_pair"
)

PrerequisiteRow = tuple[str, str, str]
"""A ticket that waits, what it waits for, and what a failure means."""


def is_prerequisite(key: ColumnElement[Any]) -> ColumnElement[bool]:
    """Return the condition that a ticket in a flow waits for the one with this key."""
    its_key: ColumnElement[str] = literal_column("afterwork_prerequisite_key", Text)
    waits: Select[Any] = select(literal_column("1")).select_from(_PREREQUISITE).where(its_key == key_as_text(key))
    return exists(waits.correlate(key.table))


@dataclass(frozen=True)
class Flows:
    """The flows among the tickets of one class."""

    tickets: TicketTable

    def decide(self, connection: Connection, ended: Mapping[str, PrerequisiteEnd], now: datetime) -> Decision:
        """Decide what the ends of tickets, by the texts of their keys, mean for those that wait."""
        fails = any(end != "done" for end in ended.values())
        waiting = self._waiting(connection, list(ended), through_others=fails)
        if not waiting:
            return Decision()
        open_flows = self._lock(connection, waiting)
        waits = by_prerequisite(self._pairs(connection, [*ended, *(waiting if fails else ())]))
        decision = decide(open_flows, waits, ended)
        if decision.decided:
            held = self._lock_tickets(connection, decision.decided)
            if len(held) < len(decision.decided):
                left = set(decision.decided) - held
                decision = decide([flow for flow in open_flows if flow.ticket not in left], waits, ended)
        self._write(connection, decision, now)
        return decision

    def _waiting(self, connection: Connection, ended: Sequence[str], *, through_others: bool) -> list[str]:
        """Return the tickets that wait for others, and those that wait for these, and so on."""
        keys: dict[str, None] = {}
        for chunk in _chunks(ended):
            waiting = (
                select(pairs.c.ticket).where(pairs.c.prerequisite.in_(chunk), pairs.c.outcome.is_(None)).distinct()
            )
            if through_others:
                first = waiting.cte("waiting", recursive=True)
                of_those = select(pairs.c.ticket).where(
                    pairs.c.prerequisite == first.c.ticket, pairs.c.outcome.is_(None)
                )
                waiting = select(first.union(of_those))
            keys |= dict.fromkeys(connection.execute(waiting).scalars())
        return sorted(keys)

    def _lock(self, connection: Connection, waiting: Sequence[str]) -> list[OpenFlow]:
        """Lock the flows of tickets, in an order that is everybody's: that of Python, and of the collation C."""
        is_sqlite = self.tickets.dialect == "sqlite"
        in_order = flows.c.ticket if is_sqlite else flows.c.ticket.collate("C")
        open_flows: list[OpenFlow] = []
        for chunk in _chunks(waiting):
            query = select(flows.c.ticket, flows.c.pending, flows.c.if_failed).where(flows.c.ticket.in_(chunk))
            locking = query.where(~flows.c.decided).order_by(in_order).with_for_update()
            open_flows += [OpenFlow(*row) for row in connection.execute(locking)]
        return open_flows

    def _pairs(self, connection: Connection, prerequisites: Sequence[str]) -> list[tuple[str, str]]:
        open_pairs: list[tuple[str, str]] = []
        for chunk in _chunks(prerequisites):
            query = select(pairs.c.ticket, pairs.c.prerequisite).where(
                pairs.c.prerequisite.in_(chunk), pairs.c.outcome.is_(None)
            )
            open_pairs += [(ticket, key) for ticket, key in connection.execute(query)]
        return open_pairs

    def _lock_tickets(self, connection: Connection, decided: Sequence[str]) -> set[str]:
        """Lock those of some tickets that still wait and that nobody else has locked. Return their keys."""
        held: set[str] = set()
        c = self.tickets.columns
        for chunk in _chunks(decided):
            # Whether they wait is not among the conditions, or an index of all pending ones might serve that.
            query = select(c.key, self._waits).where(c.key.in_(self._keys(chunk))).with_for_update(skip_locked=True)
            held.update(key_text(key) for key, waits in connection.execute(query) if waits)
        return held

    @property
    def _waits(self) -> ColumnElement[bool]:
        c = self.tickets.columns
        return c.pending & (c.earliest == self.tickets.moment(AWAITING))

    def _keys(self, texts: Collection[str]) -> list[Any]:
        return [parse_key(text, self.tickets.columns.key) for text in texts]

    def _write(self, connection: Connection, decision: Decision, now: datetime) -> None:
        self._write_counted(connection, decision)
        self._write_pending(connection, decision)
        self._release(connection, decision.released)
        self._cancel(connection, decision.cancelled, now)

    def _write_counted(self, connection: Connection, decision: Decision) -> None:
        by_ticket: dict[tuple[str, PrerequisiteEnd], list[str]] = {}
        for (ticket, prerequisite), end in decision.counted.items():
            by_ticket.setdefault((ticket, end), []).append(prerequisite)
        alone = [
            {"its_ticket": ticket, "ended": ended[0], "its_end": end}
            for (ticket, end), ended in by_ticket.items()
            if len(ended) == 1
        ]
        if alone:
            is_pair = (pairs.c.ticket == bindparam("its_ticket"), pairs.c.prerequisite == bindparam("ended"))
            connection.execute(update(pairs).where(*is_pair).values(outcome=bindparam("its_end")), alone)
        for (ticket, end), several in by_ticket.items():
            for chunk in _chunks(several) if len(several) > 1 else ():
                are_pairs = (pairs.c.ticket == ticket, pairs.c.prerequisite.in_(chunk))
                connection.execute(update(pairs).where(*are_pairs).values(outcome=end))

    def _write_pending(self, connection: Connection, decision: Decision) -> None:
        rows = [
            {"its_ticket": ticket, "left": left, "over": not left or ticket in decision.cancelled}
            for ticket, left in decision.pending.items()
        ]
        if rows:
            values: dict[Any, object] = {"pending": bindparam("left"), "decided": bindparam("over")}
            connection.execute(update(flows).where(flows.c.ticket == bindparam("its_ticket")).values(values), rows)
        for chunk in _chunks([ticket for ticket in decision.cancelled if ticket not in decision.pending]):
            connection.execute(update(flows).where(flows.c.ticket.in_(chunk)).values(decided=True))

    def _release(self, connection: Connection, released: Sequence[str]) -> None:
        """Make tickets due that wait no longer, or let them wait for their own time."""
        c, earliest = self.tickets.columns, self.tickets.contract.execute_earliest.column
        for chunk in _chunks(released):
            query = select(flows.c.ticket, flows.c.earliest).where(flows.c.ticket.in_(chunk))
            times: dict[datetime | None, list[str]] = {}
            for ticket, moment in connection.execute(query):
                times.setdefault(aware(moment), []).append(ticket)
            for moment, alike in times.items():
                wanted = None if moment is None else self.tickets.moment(moment)
                table = self.tickets.contract.table
                connection.execute(update(table).where(c.key.in_(self._keys(alike))).values({earliest: wanted}))

    def _cancel(self, connection: Connection, cancelled: Mapping[str, tuple[str, bool]], now: datetime) -> None:
        """End tickets that have waited in vain. Their receipts stay for as long as each asks for."""
        c, contract = self.tickets.columns, self.tickets.contract
        alike: dict[tuple[tuple[str, bool], object], list[Any]] = {}
        for chunk in _chunks(list(cancelled)):
            rows = connection.execute(select(c.key, c.keep_minutes).where(c.key.in_(self._keys(chunk))))
            for key, keep in rows:
                alike.setdefault((cancelled[key_text(key)], keep), []).append(key)
        for ((prerequisite, is_gone), keep), keys in alike.items():
            until = now + timedelta(minutes=receipt_minutes(keep))
            error = fitted(connection, contract.error.column, str(PrerequisiteFailed(prerequisite, is_gone)))
            values: dict[Any, object] = {
                contract.done.column: self.tickets.moment(now),
                contract.delete_time.column: self.tickets.moment(until),
                contract.error.column: error,
            }
            for chunk in _chunks(keys):
                connection.execute(update(contract.table).where(c.key.in_(chunk)).values(values))

    # By hand, and what nobody has told.

    def let_run(self, connection: Connection, keys: Collection[Any]) -> None:
        """Note that tickets wait for others no longer, because somebody lets them run."""
        texts = list(map(key_text, keys))
        connection.execute(update(flows).where(flows.c.ticket.in_(texts), ~flows.c.decided).values(decided=True))

    def forget(self, connection: Connection, tickets: Sequence[str]) -> None:
        """Forget the flows of tickets that are gone, by the texts of their keys."""
        if connection.execute(select(flows.c.ticket).limit(1)).first() is not None:
            for chunk in _chunks(tickets):
                connection.execute(delete(pairs).where(pairs.c.ticket.in_(chunk)))
                connection.execute(delete(flows).where(flows.c.ticket.in_(chunk)))

    def some_pairs(self, connection: Connection, after: tuple[str, str] | None, most: int) -> Sequence[PrerequisiteRow]:
        """Return the next tickets that wait, with what each waits for and what a failure means."""
        query = (
            select(pairs.c.ticket, pairs.c.prerequisite, flows.c.if_failed)
            .select_from(flows.join(pairs, pairs.c.ticket == flows.c.ticket))
            .where(~flows.c.decided, pairs.c.outcome.is_(None))
            .order_by(pairs.c.ticket, pairs.c.prerequisite)
            .limit(most)
        )
        if after is not None:
            query = query.where(tuple_(pairs.c.ticket, pairs.c.prerequisite) > after)
        return [(ticket, prerequisite, policy) for ticket, prerequisite, policy in connection.execute(query)]

    def unnoticed(self, connection: Connection, waits: Sequence[PrerequisiteRow]) -> dict[str, PrerequisiteEnd]:
        """Return the prerequisites whose end nobody has told, or that are gone."""
        c = self.tickets.columns
        ends: dict[str, PrerequisiteEnd | None] = dict.fromkeys((prerequisite for _, prerequisite, _ in waits), "gone")
        for chunk in _chunks(list(ends)):
            rows = connection.execute(select(c.key, c.pending, c.failed).where(c.key.in_(self._keys(chunk))))
            for key, pending, failed in rows:
                ends[key_text(key)] = None if pending else "failed" if failed else "done"
        may_retry = {prerequisite for _, prerequisite, policy in waits if policy == "wait"}
        only_retries = may_retry - {prerequisite for _, prerequisite, policy in waits if policy != "wait"}
        return {
            key: end for key, end in ends.items() if end is not None and not (end == "failed" and key in only_retries)
        }

    def clear_away(self, connection: Connection, waits: Sequence[PrerequisiteRow]) -> None:
        """Note which tickets wait for others no longer, since somebody has changed their rows or deleted them."""
        c = self.tickets.columns
        keys = self._keys({ticket for ticket, _, _ in waits})
        rows = connection.execute(select(c.key, self._waits).where(c.key.in_(keys)))
        waiting: dict[Any, bool] = {key: bool(still) for key, still in rows}
        if moved := [key for key, still in waiting.items() if not still]:
            self.let_run(connection, moved)
        if gone := [key_text(key) for key in keys if key not in waiting]:
            self.forget(connection, gone)


def _chunks(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for first in range(0, len(items), AT_ONCE):
        yield items[first : first + AT_ONCE]

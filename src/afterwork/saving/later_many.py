"""`aw.later_many`: ask for many works at once, by statements that insert rows, without an object for each ticket."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Column,
    ColumnElement,
    Enum,
    Executable,
    FromClause,
    String,
    Text,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
)
from sqlalchemy.orm import Session, object_session

from afterwork.errors import BadRequest
from afterwork.model.arguments.parameters import Arguments
from afterwork.model.awaiting import asking
from afterwork.model.contract import CLASS_NAME, DEFAULT_KEEP_MINUTES, Contract, ContractAttribute, timestamp_for
from afterwork.model.external_id import external_id, external_id_or_none
from afterwork.model.lane import Lane
from afterwork.model.method import BoundMethod, GivenWork
from afterwork.saving import ticket_arguments
from afterwork.saving.current_work import STATEMENTS_AT_END
from afterwork.saving.later import Declared, check_options, earliest_of, lane_of, latest_of, minutes_of
from afterwork.saving.sessions import AnySession
from afterwork.saving.wanted_work import WantedWork, wanted_of
from afterwork.store.untracked_statements import OWN

AT_ONCE = 10_000
"""The most rows that one statement inserts."""


@dataclass(frozen=True, eq=False)
class ManyTickets:
    """The tickets of one call of `aw.later_many`, by their `keys`, for `aw.after` to wait for.

    They were saved in a `transaction` of a `session`. If an external run asks for them, they are saved when it returns:
    `come_later`, without keys as yet.
    """

    keys: Sequence[Any]
    session: Session | None = None
    transaction: object = None
    come_later: bool = False

    def __len__(self) -> int:
        return len(self.keys)

    def is_of(self, session: Session) -> bool:
        """Return whether they were saved in the transaction of a session that goes on."""
        return self.transaction is not None and self.transaction is session.get_transaction()

    def check(self, session: Session, contract: Contract) -> None:
        """Raise `BadRequest` if a ticket of a session can't wait for them."""
        if self.come_later:
            raise BadRequest(
                "An external run saves many tickets when it returns, so nothing can wait for them before. Ask for an "
                "ordinary method that asks for both, or for each by aw.later."
            )
        if self.session is not None and self.session is not session:
            raise BadRequest("The tickets of this aw.later_many are in another session than what is to wait for them.")


@dataclass(frozen=True)
class _Row:
    """The parts of one ticket that differ from the others'."""

    work: str
    root: Any
    arguments: Arguments | None
    lane: str | None


@asking("aw.later_many(…)")
def later_many(
    works: Iterable[Any],
    *,
    session: AnySession | None = None,
    at: datetime | None = None,
    after: timedelta | None = None,
    keep: timedelta | None = None,
    priority: int | None = None,
    lane: str | Lane | Declared | None = Declared.LANE,
    not_after: datetime | None = None,
) -> ManyTickets:
    """Ask for many works at once: `aw.later_many(order.remind for order in orders)`.

    It takes works and arguments as `aw.later` does, and saves the same rows, many times faster: at once, by statements
    in the transaction of their session, after it has flushed new roots. The works may be different ones, all of one
    model and in one session.

    `session`, `at`, `after`, `keep`, `priority`, `lane` and `not_after` are those of `aw.later`, for all of them.

    Returns the tickets for `aw.after`; to have them as objects, query for them. Raises what `aw.later` raises, and
    `BadRequest` for works of several sessions or models, before anything is saved.
    """
    check_options(after, keep, priority)
    earliest, latest = earliest_of(at, after, not_after), latest_of(not_after)
    rows = _Rows(session, lane)
    for work in works:
        rows.add(work)
    if not rows.rows:
        return ManyTickets([])
    own_session, contract = rows.session_of_all, rows.contract
    dialect = own_session.get_bind(contract.mapper).dialect.name
    minutes = DEFAULT_KEEP_MINUTES if keep is None else minutes_of(keep)
    common: list[tuple[str, ContractAttribute | None, object]] = [
        ("keep", contract.keep_receipt_minutes, minutes),
        ("priority", contract.priority, priority),
        ("at", contract.execute_earliest, _moment(contract.execute_earliest, earliest, dialect)),
        ("not_after", contract.not_after, _moment(contract.not_after, latest, dialect)),
    ]
    for name, attribute, value in common:
        if attribute is None and value is not None:
            raise BadRequest(f"{name}={value!r} was asked for, but {CLASS_NAME} has no attribute {name}.")
    same = {attribute: value for _, attribute, value in common if attribute is not None and value is not None}
    return _Insertion(own_session, contract, dialect, same, lane_is_named=not isinstance(lane, Declared)).insert(
        rows.rows
    )


def _moment(attribute: ContractAttribute | None, moment: datetime | None, dialect: str) -> datetime | None:
    return moment if attribute is None or moment is None else timestamp_for(attribute.column, dialect, moment)


class _Rows:
    """The tickets that are asked for, as they are collected. What works of one kind share is found out once."""

    def __init__(self, session: AnySession | None, lane: str | Lane | Declared | None) -> None:
        self.rows: list[_Row] = []
        self.session_of_all: Session
        self.contract: Contract
        self._given_session, self._lane = session, lane
        self._known: dict[tuple[type, object], tuple[str, str | None]] = {}

    def add(self, work: Any) -> None:
        bound = work.work if isinstance(work, GivenWork) else work
        if type(bound) is BoundMethod and (kind := (type(bound.target), bound.method)) in self._known:
            name, lane = self._known[kind]
            arguments = (work.arguments or None) if isinstance(work, GivenWork) else None
            if arguments is not None or work is not bound or not bound.method.required:
                self._check_session(object_session(bound.target), name)
                self.rows.append(_Row(name, bound.target, arguments, lane))
                return
        wanted = wanted_of(work)
        lane = lane_of(self._lane, wanted.lane)
        self._take(wanted)
        if type(bound) is BoundMethod:
            self._known[type(bound.target), bound.method] = wanted.name, lane
        self.rows.append(_Row(wanted.name, wanted.root, wanted.arguments, lane))

    def _take(self, wanted: WantedWork) -> None:
        session, contract = wanted.session(self._given_session), wanted.contract()
        if not self.rows:
            self.session_of_all, self.contract = session, contract
        self._check_session(session, wanted.name)
        if contract is not self.contract:
            raise BadRequest(f"{wanted.name} is a work of another model than the works before it. Ask for each apart.")

    def _check_session(self, session: Session | None, name: str) -> None:
        if session is not self.session_of_all:
            where = "no session" if session is None else "another session than those before it"
            raise BadRequest(f"The root of {name} is in {where}. Add it first: session.add(obj).")


@dataclass(frozen=True)
class _Insertion:
    """The statements that insert many tickets, which have some values in common."""

    session: Session
    contract: Contract
    dialect: str
    same: Mapping[ContractAttribute, object]
    lane_is_named: bool
    keys: list[Any] = field(default_factory=list)

    def insert(self, rows: Sequence[_Row]) -> ManyTickets:
        self._check_arguments(rows)
        names = self._names(rows)
        values = self._values(rows, names)
        insert_some = self._insert_in_sets if self._can_insert_in_sets() else self._insert_each
        for first in range(0, len(rows), AT_ONCE):
            insert_some(values[first : first + AT_ONCE], names)
        come_later = STATEMENTS_AT_END in self.session.info
        return ManyTickets(self.keys, self.session, self.session.get_transaction(), come_later)

    def _check_arguments(self, rows: Sequence[_Row]) -> None:
        for row in rows:
            if row.arguments is not None:
                ticket_arguments.check(row.arguments, self.contract)
                if not row.arguments.is_complete:
                    self.session.add_all(obj for obj in row.arguments.objects if object_session(obj) is None)
                    self.session.flush()

    def _names(self, rows: Sequence[_Row]) -> Sequence[ContractAttribute]:
        c = self.contract
        names = [c.view_model, c.root_id]
        if any(row.arguments is not None for row in rows) and c.arguments is not None:
            names.append(c.arguments)
        if any(row.lane is not None for row in rows):
            if c.lane is not None:
                names.append(c.lane)
            elif self.lane_is_named:
                raise BadRequest(f"lane={rows[0].lane!r} was asked for, but {CLASS_NAME} has no attribute lane.")
        return names

    def _values(self, rows: Sequence[_Row], names: Sequence[ContractAttribute]) -> list[list[str | None]]:
        values: list[list[str | None]] = [
            [row.work, root_id] for row, root_id in zip(rows, self._root_ids(rows), strict=True)
        ]
        if self.contract.arguments in names:
            for line, row in zip(values, rows, strict=True):
                line.append(None if row.arguments is None else row.arguments.text())
        if self.contract.lane in names:
            for line, row in zip(values, rows, strict=True):
                line.append(row.lane)
        return values

    def _root_ids(self, rows: Sequence[_Row]) -> list[str | None]:
        """Return the RootIds of tickets. New roots are flushed, and have theirs then."""
        root_ids = [None if row.root is None else external_id_or_none(row.root) for row in rows]
        if any(root_id is None and row.root is not None for root_id, row in zip(root_ids, rows, strict=True)):
            self.session.flush()
            root_ids = [None if row.root is None else external_id(row.root) for row in rows]
        return root_ids

    def _can_insert_in_sets(self) -> bool:
        """Return whether one value of each default serves all rows, and texts are what the columns take."""
        known = {attribute.column for attribute in self.same}
        mine = (self.contract.created, self.contract.attempts)
        known |= {attribute.column for attribute in mine if attribute is not None}
        texts = (self.contract.view_model, self.contract.root_id, self.contract.lane)
        are_texts = all(
            isinstance(each.column.type, String) and not isinstance(each.column.type, Enum)
            for each in texts
            if each is not None
        )
        return are_texts and not any(_differs_by_row(each) for each in self.contract.table.columns if each not in known)

    def _insert_in_sets(self, values: Sequence[Sequence[str | None]], names: Sequence[ContractAttribute]) -> None:
        """Insert rows by one statement, which takes them as arrays, or, on SQLite, as JSON."""
        c = self.contract
        source, columns = (_from_arrays if self.dialect == "postgresql" else _from_json)(values, len(names))
        wanted: dict[Column[Any], ColumnElement[Any]] = {
            each.column: _as_stored(value, each.column, self.dialect)
            for each, value in zip(names, columns, strict=True)
        }
        wanted |= {each.column: literal(value, each.column.type) for each, value in self.same.items()}
        rows = select(*wanted.values()).select_from(source)
        statement = insert(c.table).from_select(list(wanted), rows).returning(c.key.column)
        if STATEMENTS_AT_END in self.session.info:
            self.session.info[STATEMENTS_AT_END].append(statement)
        else:
            self.keys.extend(self._execute(statement).scalars())

    def _insert_each(self, values: Sequence[Sequence[str | None]], names: Sequence[ContractAttribute]) -> None:
        """Insert rows whose own defaults differ from row to row."""
        c = self.contract
        same = {each.name: value for each, value in self.same.items()}
        rows = [
            same | {each.name: _loaded(value, each.column) for each, value in zip(names, row, strict=True)}
            for row in values
        ]
        statement = insert(c.mapper.class_).returning(getattr(c.mapper.class_, c.key.name))
        self.keys.extend(self._execute(statement, rows).scalars())

    def _execute(self, statement: Executable, rows: Sequence[dict[str, Any]] | None = None) -> Any:
        where = {"mapper": self.contract.mapper}
        return self.session.execute(statement, rows, bind_arguments=where, execution_options=OWN)


def _differs_by_row(column: Column[Any]) -> bool:
    """Return whether a column has a default that SQLAlchemy finds out for each row."""
    default: Any = column.default
    return default is not None and not default.is_scalar and not default.is_clause_element


def _from_arrays(values: Sequence[Sequence[str | None]], width: int) -> tuple[FromClause, list[ColumnElement[Any]]]:
    arrays = [bindparam(None, [row[place] for row in values], ARRAY(Text), unique=True) for place in range(width)]
    names = [f"part_{place}" for place in range(width)]
    rows = func.unnest(*arrays).table_valued(*(column(name, Text) for name in names)).render_derived("afterwork_rows")
    return rows, [rows.c[name] for name in names]


def _from_json(values: Sequence[Sequence[str | None]], width: int) -> tuple[FromClause, list[ColumnElement[Any]]]:
    rows = func.json_each(literal(json.dumps(values), Text)).table_valued("value", name="afterwork_rows")
    return rows, [
        func.json_extract(rows.c.value, literal_column(f"'$[{place}]'"), type_=Text) for place in range(width)
    ]


def _as_stored(value: ColumnElement[Any], column: Column[Any], dialect: str) -> ColumnElement[Any]:
    return cast(value, column.type) if dialect == "postgresql" and isinstance(column.type, JSON) else value


def _loaded(value: str | None, column: Column[Any]) -> Any:
    return json.loads(value) if value is not None and isinstance(column.type, JSON) else value

"""`aw.wait`: come back when a ticket has ended, with what its work has returned."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, Union, overload

from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.orm import InstanceState, Session
from sqlalchemy.pool import SingletonThreadPool, StaticPool

from afterwork.errors import (
    BadRequest,
    MalformedExternalId,
    NeverEnds,
    NoCurrentRun,
    NoSession,
    NotEndedYet,
    ResultLost,
    TicketFailed,
    TicketIsGone,
    shown,
)
from afterwork.jobs.session import OutsideSession
from afterwork.model.arguments.result import WorkResult
from afterwork.model.awaiting import asking
from afterwork.model.contract import CLASS_NAME, Contract
from afterwork.model.inspection import from_external_id
from afterwork.model.job_function import JobFunction
from afterwork.model.key import key_text
from afterwork.model.method import BoundMethod, Method
from afterwork.model.ticket import contract_of, is_ticket_class
from afterwork.saving.current_work import running_work, session_of_run
from afterwork.saving.sessions import call_in
from afterwork.store.tickets.ends import EndsOfTickets, TicketEnd
from afterwork.waiting.room import WaitingRoom
from afterwork.waiting.rooms import WaitingRooms

if TYPE_CHECKING:
    from types import CoroutineType

    from sqlalchemy.ext.asyncio import AsyncEngine

Result = TypeVar("Result")

AnyEngine = Union[Engine, "AsyncEngine"]
WorkWithResult = Method[Any, Result, ...] | BoundMethod[Result, Any, ...] | JobFunction[Result, Any, ...]
if TYPE_CHECKING:
    # What an `async def` returns is a Coroutine to mypy, and a CoroutineType to pyright.
    AsyncWork = WorkWithResult[Coroutine[Any, Any, Result]] | WorkWithResult[CoroutineType[Any, Any, Result]]

HOW_TO_KEEP_RESULTS = f"Add it to {CLASS_NAME}: result: Mapped[str | None] = mapped_column(Text)"


@overload
def wait(
    ticket: object,
    *,
    of: "AsyncWork[Result]",
    timeout: timedelta | None = None,
    engine: AnyEngine | None = None,
) -> Result: ...
@overload
def wait(
    ticket: object, *, of: WorkWithResult[Result], timeout: timedelta | None = None, engine: AnyEngine | None = None
) -> Result: ...
@overload
def wait(
    ticket: object, *, of: None = None, timeout: timedelta | None = None, engine: AnyEngine | None = None
) -> Any: ...
def wait(
    ticket: Any,
    *,
    of: WorkWithResult[Any] | None = None,
    timeout: timedelta | None = None,
    engine: AnyEngine | None = None,
) -> Any:
    """Wait until a ticket has ended, and return what its work has returned.

        ticket = aw.later(customer.assign_number)
        session.commit()
        number = aw.wait(ticket, of=Customer.assign_number, timeout=timedelta(seconds=5))

    The ticket must be committed. A server may be anywhere; its end wakes this thread. The result is what the method,
    the function, or the last action of the view model has returned, converted by its annotation; objects are loaded
    in the ticket's session. It is there for as long as the ticket's receipt. `of` names the work for type checkers,
    which otherwise don't know what it returns. `engine` is needed if the ticket is in no session any more. Objects that
    the session has loaded stay as they were, except for the ticket itself.

    Raises `TicketFailed` if it ended with an Error, `NotEndedYet` (a `TimeoutError`) after `timeout`, `TicketIsGone`
    without such a ticket, `NeverEnds` if it is not committed, or for a run inside a transaction, `ResultLost` if its
    work returned what could not be kept, and `BadRequest` and `NoSession` for what is no ticket, or in no session.
    """
    waited = WaitedTicket.of(ticket, of, engine)
    limit = _seconds(timeout)
    if waited.room is None:
        return waited.result_here()
    future = waited.room.enter(waited.key)
    try:
        end = future.result(limit)
    except TimeoutError:
        raise waited.not_ended(timeout) from None
    finally:
        waited.room.leave(waited.key, future)
    with asking("aw.wait(…): await aw.wait_async(…)"):
        return waited.result(end)


@overload
async def wait_async(
    ticket: object,
    *,
    of: "AsyncWork[Result]",
    timeout: timedelta | None = None,
    engine: AnyEngine | None = None,
) -> Result: ...
@overload
async def wait_async(
    ticket: object, *, of: WorkWithResult[Result], timeout: timedelta | None = None, engine: AnyEngine | None = None
) -> Result: ...
@overload
async def wait_async(
    ticket: object, *, of: None = None, timeout: timedelta | None = None, engine: AnyEngine | None = None
) -> Any: ...
async def wait_async(
    ticket: Any,
    *,
    of: WorkWithResult[Any] | None = None,
    timeout: timedelta | None = None,
    engine: AnyEngine | None = None,
) -> Any:
    """Wait until a ticket has ended, without holding up the event loop, as `aw.wait` does.

        number = await aw.wait_async(ticket, of=Customer.assign_number, timeout=timedelta(seconds=5))

    `of`, `timeout` and `engine`, which may be an AsyncEngine, are those of it, and it raises the same. However many
    wait, they take one thread and one connection of this program. The ticket may be in an AsyncSession or an ordinary
    one.
    """
    waited = WaitedTicket.of(ticket, of, engine)
    limit = _seconds(timeout)
    if waited.room is None:
        return await waited.calling(waited.result_here)
    future = waited.room.enter(waited.key)
    try:
        async with asyncio.timeout(limit):
            end = await asyncio.wrap_future(future)
    except TimeoutError:
        raise waited.not_ended(timeout) from None
    finally:
        waited.room.leave(waited.key, future)
    return await waited.calling(partial(waited.result, end))


def _seconds(timeout: object) -> float | None:
    if timeout is None:
        return None
    if not isinstance(timeout, timedelta) or timeout < timedelta(0):
        raise BadRequest(f"timeout={shown(timeout)}: give a timedelta: timedelta(seconds=5)")
    return timeout.total_seconds()


@dataclass(frozen=True)
class WaitedTicket:
    """A ticket that somebody waits for. `room` is None where only the session itself can see its end."""

    state: InstanceState[Any]
    key: Any
    contract: Contract
    rooms: WaitingRooms
    room: WaitingRoom | None
    work: WorkWithResult[Any] | None

    @classmethod
    def of(cls, ticket: Any, work: WorkWithResult[Any] | None, engine: AnyEngine | None) -> "WaitedTicket":
        """Check that a ticket can be waited for."""
        state = inspect(ticket, raiseerr=False)
        if not isinstance(state, InstanceState) or not is_ticket_class(type(ticket)):
            raise BadRequest(f"{shown(ticket)} is no ticket. Wait for what aw.later has returned.")
        _check_outside_of_runs()
        if state.was_deleted:
            raise TicketIsGone(shown(state.identity))
        if state.identity is None:
            raise NeverEnds("the ticket is not saved yet, or was rolled back. Commit its session before: commit().")
        contract = contract_of(type(ticket))
        _check_of(ticket, state, contract, work)
        rooms = WaitingRooms.of(contract)
        return cls(state, state.identity[0], contract, rooms, _room(rooms, state, contract, engine), work)

    @property
    def session(self) -> Session | None:
        return self.state.session

    async def calling(self, function: Any) -> Any:
        """Call a function that may ask the database by the ticket's session."""
        return function() if self.session is None else await call_in(self.session, function)

    def result(self, end: TicketEnd | None) -> Any:
        """Return what the work has returned, or raise what its end says."""
        if end is None:
            raise self._not_there()
        if self.session is not None and self.state.persistent and not self.state.modified:
            self.session.expire(self.state.obj())
        if end.error is not None:
            raise TicketFailed(end.work or "", key_text(self.key), end.error)
        result = self._declared(end.work)
        if self.contract.result is None:
            if result is not None and result.is_expected:
                raise ResultLost(
                    f"{result.name} was done, but {CLASS_NAME} has no attribute result that could keep what it "
                    f"returned. {HOW_TO_KEEP_RESULTS}"
                )
            return None
        if result is None:
            raise ResultLost(
                f"{end.work} was done, but no model of this program knows it, so its result can't be read. Import the "
                "module that declares it, or give of=…"
            )
        return result.read(end.result, self._load)

    def result_here(self) -> Any:
        """Do the same by the ticket's own session, where a ticket that has not ended never would."""
        end = self._seen()
        if end is None:
            raise NeverEnds(
                "its session is inside a transaction of somebody else, or in a database in memory, whose only "
                "connection it has. Run what is due before: app.run_until_idle(engine), or afterwork.drain() in a test."
            )
        return self.result(end)

    def not_ended(self, timeout: timedelta | None) -> NotEndedYet:
        return NotEndedYet(key_text(self.key), timeout or timedelta(0))

    def _declared(self, work: str | None) -> WorkResult | None:
        match self.work:
            case BoundMethod(method=method, target=target):
                return method.result(type(target))
            case JobFunction() as function:
                return function.result
            case _:
                return self.rooms.result_of(work)

    def _load(self, text: str, cls: type, where: str) -> object:
        if self.session is None:
            raise ResultLost(f"{where} is {text}, and the ticket is in no session that could load it. Add it to one.")
        try:
            obj = from_external_id(self.session, text, self.contract.mapper.registry)
        except MalformedExternalId as error:
            raise ResultLost(f"{where}: {error}") from None
        if not isinstance(obj, cls):
            raise ResultLost(f"{where} is {text}, which is not there (any more).")
        return obj

    def _not_there(self) -> Exception:
        """Return why others can't see the ticket: its own transaction may not be committed yet."""
        session = self.session
        if session is not None and session.in_transaction() and self._is_seen(session):
            return NeverEnds("the transaction that has saved the ticket is not committed. Commit it before: commit().")
        return TicketIsGone(key_text(self.key))

    def _is_seen(self, session: Session) -> bool:
        connection = session.connection(bind_arguments={"mapper": self.contract.mapper})
        return self.key in EndsOfTickets(self.contract, connection.dialect.name).ends(connection, [self.key])

    def _seen(self) -> TicketEnd | None:
        """Return the end of the ticket as its own session sees it; None if it is pending."""
        assert self.session is not None  # otherwise it would have an engine
        connection = self.session.connection(bind_arguments={"mapper": self.contract.mapper})
        ends = EndsOfTickets(self.contract, connection.dialect.name).ends(connection, [self.key])
        if self.key not in ends:
            raise TicketIsGone(key_text(self.key))
        return ends[self.key]


def _check_outside_of_runs() -> None:
    """Raise `NeverEnds` in a run inside a transaction, which holds its lane, or on SQLite the whole file."""
    if running_work() is None:
        return
    try:
        session = session_of_run()
    except NoCurrentRun:
        session = None
    if not isinstance(session, OutsideSession):
        raise NeverEnds(
            "this run is inside a transaction, which holds up its lane, and on SQLite everybody. Declare the work "
            "external=True, or let the other one ask for what comes next."
        )


def _check_of(ticket: Any, state: InstanceState[Any], contract: Contract, work: WorkWithResult[Any] | None) -> None:
    """Raise `BadRequest` if `of` is no work, or not the one that the ticket is known to ask for."""
    if work is None:
        return
    if not isinstance(work, Method | BoundMethod | JobFunction):
        raise BadRequest(f"of={shown(work)}: give the method or function without calling it: of=Order.refund")
    asked = state.dict.get(contract.view_model.name)
    name = work.method.name if isinstance(work, BoundMethod) else work.name
    if asked is not None and asked.rpartition(".")[2] != name.rpartition(".")[2]:
        raise BadRequest(f"of={name}: the ticket asks for {asked}.")


def _room(
    rooms: WaitingRooms, state: InstanceState[Any], contract: Contract, engine: AnyEngine | None
) -> WaitingRoom | None:
    session = state.session
    if engine is not None:
        return rooms.room(engine if isinstance(engine, Engine) else engine.sync_engine)
    if session is None:
        raise NoSession("The ticket is in no session, so its database is not known. Give it: engine=…")
    bind = session.get_bind(contract.mapper)
    if isinstance(bind, Connection) or _is_single(bind):
        return None
    return rooms.room(bind)


def _is_single(engine: Engine) -> bool:
    """Return whether an engine has a single connection, as that of a SQLite database in memory has."""
    return isinstance(engine.pool, StaticPool | SingletonThreadPool)

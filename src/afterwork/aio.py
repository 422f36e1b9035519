"""`aw.aio`: what asks the database, as awaitables for the objects of an AsyncSession.

    total = await aw.aio.fresh(customer, "total")
    await aw.aio.later(order.remind, unique=True)
    await aw.aio.call(order, order.flow.ship)

Each does what the function of the same name does, in the transaction of the object's session. Objects of an ordinary
session are served as well, without waiting; those of an async run, an `async def` work, as `aw.read` does it.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from sqlalchemy.orm import QueryableAttribute, Session

from afterwork.derived.compute import fresh as answers
from afterwork.derived.explain.explanation import Explanation
from afterwork.derived.explain.readers import Reader
from afterwork.errors import BadRequest, shown
from afterwork.jobs.async_run import async_run
from afterwork.model.job_function import JobFunction
from afterwork.model.member import MemberOrName
from afterwork.model.method import BoundMethod, GivenWork, Ticket
from afterwork.model.viewmodel import ViewModel
from afterwork.saving import flow as flows
from afterwork.saving import later as requests
from afterwork.saving import later_many as many_requests
from afterwork.saving.flow import FlowWork
from afterwork.saving.later_many import ManyTickets
from afterwork.saving.sessions import AnySession, call_in, plain_session
from afterwork.saving.sessions import session as session_of

if TYPE_CHECKING:
    from afterwork.app import Afterwork

UNCALLED = "Give the function without calling it: await aw.aio.call(order, order.flow.ship)"

P = ParamSpec("P")
T = TypeVar("T")


async def call(obj: object, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function that may ask the database about an object, or change it, and return its result.

    Raises `NoSession` if the object is in no session, `BadRequest` for what is no function, such as the result of one,
    and what the function raises.
    """
    if not callable(function):
        raise BadRequest(f"{shown(function)} can't be called. {UNCALLED}")
    return await _call_in(session_of(obj), partial(function, *args, **kwargs))


async def _call_in(inner: Session, function: Callable[[], T]) -> T:
    run = async_run()
    if run is not None and inner is run.session:
        return await run.read(function)
    return await call_in(inner, function)


@overload
async def fresh(obj: object, name: QueryableAttribute[T]) -> T: ...
@overload
async def fresh(obj: object, name: str) -> Any: ...
async def fresh(obj: object, name: MemberOrName[Any]) -> Any:
    """Return the value of a derived member that is right now, as `aw.fresh` does."""
    return await call(obj, answers.fresh, obj, name)


async def is_stale(obj: object, name: MemberOrName[Any]) -> bool:
    """Return whether a derived member of an object is out of date, as `aw.is_stale` does."""
    return await call(obj, answers.is_stale, obj, name)


async def explain(app: "Afterwork", obj: object, name: MemberOrName[Any]) -> Explanation:
    """Explain the state of a derived member of an object, as `app.explain` does."""
    return await call(obj, app.explain, obj, name)


async def impact(app: "Afterwork", obj: object, member: MemberOrName[Any]) -> list[Reader]:
    """Return the caches that become stale if a member of an object changes, as `app.impact` does."""
    return await call(obj, app.impact, obj, member)


async def later(
    work: BoundMethod[Any, Ticket] | GivenWork[Ticket] | ViewModel[Any, Ticket] | JobFunction[Any, Ticket],
    *,
    session: AnySession | None = None,
    **options: Any,
) -> Ticket:
    """Ask for a work, as `aw.later` does. `options` are those of it."""
    return await _asked(work, session, partial(requests.later, work, session=session, **options))


async def after(
    tickets: "Iterable[object] | ManyTickets",
    work: FlowWork[Ticket],
    *,
    session: AnySession | None = None,
    **options: Any,
) -> Ticket:
    """Ask for a work once tickets have ended well, as `aw.after` does. `session` and `options` are those of it."""
    return await _asked(work, session, partial(flows.after, tickets, work, session=session, **options))


async def chain(*works: FlowWork[Ticket], session: AnySession | None = None, **options: Any) -> list[Ticket]:
    """Ask for works that run one after the other, as `aw.chain` does. `session` and `options` are those of it."""
    if not works:
        return []
    return await _asked(works[0], session, partial(flows.chain, *works, session=session, **options))


async def later_many(works: Iterable[Any], *, session: AnySession | None = None, **options: Any) -> ManyTickets:
    """Ask for many works at once, as `aw.later_many` does. `session` and `options` are those of it."""
    every = list(works)
    if not every:
        return ManyTickets([])
    return await _asked(every[0], session, partial(many_requests.later_many, every, session=session, **options))


async def _asked(work: Any, session: AnySession | None, ask: Callable[[], T]) -> T:
    """Ask in the transaction of a session, or else in that of a work's object."""
    if session is None:
        return await call(_object_of(work), ask)
    return await _call_in(plain_session(session), ask)


def _object_of(work: Any) -> Any:
    """Return the object whose session a request belongs to."""
    match work:
        case GivenWork(work=inner):
            return _object_of(inner)
        case ViewModel(root=obj) | BoundMethod(target=obj):
            return obj
    return work

"""The sessions of objects and of runs."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, Union

from sqlalchemy import Connection, inspect
from sqlalchemy.orm import InstanceState, Session, object_session, scoped_session

from afterwork.errors import BadRequest, NoSession, shown
from afterwork.model.viewmodel import ViewModel
from afterwork.saving.current_work import session_of_run

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

T = TypeVar("T")

AnySession = Union[Session, "AsyncSession", scoped_session[Session]]
"""The sessions in which work may be asked for."""

THIS_RUN: Any = object()
"""Stands for no object: the session of the run is asked for."""


def session(obj: object = THIS_RUN) -> Session:
    """Return the session of a mapped object, or, for a view model that runs, the session of its run.

    Without an object, return the session of the run that goes on, as functions marked with `@app.job` need it.
    Raises `NoSession` if it is in none, `NoCurrentRun` outside of runs, and `BadRequest` for anything else.
    """
    if obj is THIS_RUN:
        return session_of_run()
    if not isinstance(obj, ViewModel) and not isinstance(inspect(obj, raiseerr=False), InstanceState):
        raise BadRequest(f"{shown(obj)} is no object of a mapped class, so it is in no session.")
    own_session = obj.session_of_run if isinstance(obj, ViewModel) else object_session(obj)
    if own_session is None:
        raise NoSession(f"This {type(obj).__name__} is in no session. Add it to one first: session.add(obj).")
    return own_session


def connection_of(obj: object) -> Connection:
    """Return the connection by which the session of a mapped object reads it. Raises `NoSession` if it is in none."""
    return session(obj).connection(bind_arguments={"mapper": inspect(obj).mapper})


async def call_in(inner: Session, function: Callable[[], T]) -> T:
    """Call a function that may ask the database by a session, awaiting that if it belongs to an AsyncSession."""
    from sqlalchemy.ext.asyncio import async_session  # it needs greenlet, which is there where it is used

    session = async_session(inner)
    return function() if session is None else await session.run_sync(lambda _: function())


def plain_session(given: object) -> Session:
    """Return the ordinary session behind one that an application uses. Raises `BadRequest` for anything else."""
    inner = given() if isinstance(given, scoped_session) else getattr(given, "sync_session", given)
    if not isinstance(inner, Session):
        raise BadRequest(f"session={shown(given)}: give a Session of SQLAlchemy.")
    return inner

"""Run a cache on request, though nothing that it read has changed."""

from datetime import datetime

from sqlalchemy import Connection, select

from afterwork.derived.cause import Cause, cause_text
from afterwork.derived.queue.due_cache import DueMark
from afterwork.derived.queue.due_queue import DueQueue
from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.derived.tables import due as dues
from afterwork.errors import BadRequest, NotThere


def have_run(connection: Connection, name: str, root: str, who: str, now: datetime) -> None:
    """Mark a cache of an object as due now, in the transaction that is open. Until it has run, it keeps its value.

    Raises `NotThere` if the object has no such cache, and `BadRequest` if it is running.
    """
    c, d = caches.c, dues.c
    query = select(c.id, c.derivation, d.claim).join(derivations, derivations.c.id == c.derivation)
    query = query.outerjoin(dues, d.cache == c.id).where(derivations.c.name == name, c.root == root)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotThere(f"{root} has no cache {name}: it is not there, or was added just now.")
    if row.claim is not None:
        raise BadRequest(f"{name} of {root} runs just now. Ask again if that was not enough.")
    cause = cause_text(Cause("hand", moment=now, who=who))
    DueQueue(connection.dialect.name).mark(connection, [DueMark(row.id, row.derivation, now, now, cause)])

"""Noticing that the code under test has committed a session."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

from sqlalchemy import Connection, event
from sqlalchemy.orm import Session, SessionTransaction

from afterwork.derived.tracking.session_hooks import TrackedSession


@contextmanager
def following_commits(is_here: Callable[[Connection], bool], committed: Callable[[], None]) -> Iterator[None]:
    """Within the block, call `committed` after each commit of a session that has used a connection which is here.

    The session has let go of its connection by then. What `committed` raises comes out of its `commit()`. Sessions of
    runs don't count, whoever runs them.
    """
    here: WeakSet[Session] = WeakSet()
    ending: WeakSet[Session] = WeakSet()

    def after_begin(session: Session, transaction: SessionTransaction, connection: Connection) -> None:
        if not isinstance(session, TrackedSession) and is_here(connection):
            here.add(session)

    def after_commit(session: Session) -> None:
        if session in here and not session.in_nested_transaction():
            ending.add(session)

    def after_transaction_end(session: Session, transaction: SessionTransaction) -> None:
        if transaction.parent is not None:
            return
        here.discard(session)
        if session in ending:
            ending.discard(session)
            committed()

    listeners = (after_begin, after_commit, after_transaction_end)
    for listener in listeners:
        event.listen(Session, listener.__name__, listener)
    try:
        yield
    finally:
        for listener in listeners:
            event.remove(Session, listener.__name__, listener)

"""Connections that stay open between short uses, where the application's engine keeps its own open, too.

A connection of one's own to PostgreSQL costs more than all that a small run asks of it: a process, its catalog, and
a plan for each statement.
"""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary, WeakSet

from sqlalchemy import Connection, Engine, Pool, QueuePool, event

from afterwork.compat.sqlalchemy_engines import base_engine
from afterwork.store.database import Database


@dataclass(frozen=True)
class _Kept:
    database: Database
    connection: Connection
    pool: Pool
    process: int


class KeptConnections:
    """Keeps one open connection per engine, until the engine is disposed of. `open_database` returns the database
    behind an engine."""

    def __init__(self, open_database: Callable[[Engine], Database]) -> None:
        self._open_database = open_database
        self._lock = threading.Lock()
        self._kept: WeakKeyDictionary[Engine, _Kept] = WeakKeyDictionary()
        self._watched: WeakSet[Engine] = WeakSet()
        """The engines whose end is watched."""

    @contextmanager
    def connection(self, engine: Engine) -> Iterator[tuple[Database, Connection]]:
        """Yield a database and a connection that is nobody else's while the block lasts. It is closed if the block
        raises."""
        kept = (self._taken(engine) if isinstance(engine, Engine) else None) or self._opened(engine)
        try:
            yield kept.database, kept.connection
            kept.database.free_locks(kept.connection)
        except BaseException:
            kept.database.discard(kept.connection)
            raise
        self._keep(engine, kept)

    def _opened(self, engine: Engine) -> _Kept:
        database = self._open_database(engine)
        return _Kept(database, database.connect(), engine.pool, os.getpid())

    def _taken(self, engine: Engine) -> _Kept | None:
        """Return the connection that was kept, if it still answers."""
        with self._lock:
            kept = self._kept.pop(engine, None)
        if kept is None or kept.process != os.getpid():
            return None  # a connection of the process that this one was forked from is that one's
        if kept.database.answers(kept.connection):
            return kept
        kept.database.discard(kept.connection)
        return None

    def _keep(self, engine: Engine, kept: _Kept) -> None:
        if not isinstance(engine.pool, QueuePool):  # its connections end with their use, or there is only one
            kept.database.discard(kept.connection)
            return
        owner = base_engine(engine)
        with self._lock:
            if owner not in self._watched:
                self._watched.add(owner)
                event.listen(owner, "engine_disposed", self._discard)
            replaced = self._kept.pop(engine, None)
            self._kept[engine] = kept
        if replaced is not None:
            replaced.database.discard(replaced.connection)

    def _discard(self, _: Engine) -> None:
        """Discard the connections of all engines whose pool has been disposed of: they have another one by now."""
        with self._lock:
            ended = {engine: kept for engine, kept in self._kept.items() if engine.pool is not kept.pool}
            for engine in ended:
                del self._kept[engine]
        for kept in ended.values():
            if kept.process == os.getpid():
                kept.database.discard(kept.connection)

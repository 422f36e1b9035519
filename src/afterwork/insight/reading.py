"""The base of all parts of `Insight`: one database, its model, and the clock."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from afterwork.clock import Clock
from afterwork.errors import NotThere
from afterwork.model.external_id import parse
from afterwork.model.inspection import ModelInfo
from afterwork.store import schema
from afterwork.store.database import Database


class InsightBase:
    """Reads one database. Methods that need Afterwork's own tables raise `NotInstalled` or `WrongSchema` without
    them."""

    def __init__(self, database: Database, model: ModelInfo, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.reading() as connection:
            schema.check_installed(self._database, connection)
            yield connection

    @contextmanager
    def _reading_object(self, root_id: str) -> Iterator[tuple[Session, object]]:
        """Yield a session and an object in it. Raises `MalformedExternalId`, and `NotThere` if there is none."""
        external_id = parse(root_id, self._model.classes)
        with self._reading() as connection, Session(connection) as session:
            obj = session.get(external_id.mapper.class_, external_id.key)
            if obj is None:
                raise NotThere(f"There is no {root_id}.")
            yield session, obj

"""What all parts of `Insight` need: one database, its model, and the time."""

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
    """Reads one database. What needs Afterwork's own tables raises `NotInstalled` or `WrongSchema` where they are not
    as they must be."""

    def __init__(self, database: Database, model: ModelInfo, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._database.engine.connect() as connection:
            schema.check_installed(self._database, connection)
            yield connection

    @contextmanager
    def _reading_object(self, root_id: str) -> Iterator[tuple[Session, object]]:
        """A session and in it an object. Raises `MalformedExternalId`, and `BadRequest` if it is not there."""
        found = parse(root_id, self._model.classes)
        with self._reading() as connection, Session(connection) as session:
            obj = session.get(found.mapper.class_, found.key)
            if obj is None:
                raise NotThere(f"There is no {root_id}.")
            yield session, obj

"""The waiting rooms of a model: one for each engine by whose database somebody waits."""

import os
import threading
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, NullPool, create_engine, event

from afterwork.app import Afterwork, applications_of
from afterwork.compat.sqlalchemy_engines import base_engine
from afterwork.errors import UnknownWork
from afterwork.model.arguments.result import WorkResult
from afterwork.model.contract import Contract
from afterwork.model.inspection import ModelInfo, inspect_model
from afterwork.settings import Settings
from afterwork.store.database import Database
from afterwork.store.dialects import database_of
from afterwork.waiting.room import WaitingRoom

ROOMS = "afterwork.waiting_rooms"
"""The entry of a metadata's `info` that has the waiting rooms of its model."""

PLAIN_DRIVERS = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite"}

PLAIN_OPTIONS: Mapping[str, Mapping[str, Any]] = {"postgresql": {"prepare_threshold": None}, "sqlite": {}}
"""The options of connections for a thread that waits for an AsyncEngine. Nothing tells those of its own, and there may
be a pooler in between, behind which no prepared statement may be kept."""


class WaitingRooms:
    """The waiting rooms of one model in this process, and what its works return."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self._lock = threading.Lock()
        self._rooms: WeakKeyDictionary[Engine, WaitingRoom] = WeakKeyDictionary()
        self._model: ModelInfo | None = None

    @classmethod
    def of(cls, contract: Contract) -> "WaitingRooms":
        """Return the waiting rooms of the model that a ticket class belongs to."""
        rooms: WaitingRooms | None = contract.table.metadata.info.get(ROOMS)
        if rooms is None or rooms.contract is not contract:
            rooms = contract.table.metadata.info[ROOMS] = cls(contract)
        return rooms

    def room(self, engine: Engine) -> WaitingRoom:
        """Return the room for the database behind an engine. A process that was forked has rooms of its own."""
        with self._lock:
            room = self._rooms.get(engine)
            if room is None or room.process != os.getpid():
                plain = _plain(engine)
                room = self._rooms[engine] = WaitingRoom(lambda: self._database(plain), self.contract)
                event.listen(base_engine(engine), "engine_disposed", _closing(room))
            return room

    def _database(self, engine: Engine) -> Database:
        apps = self._applications()
        return database_of(engine, apps[-1].settings if apps else Settings())

    def result_of(self, work: str | None) -> WorkResult | None:
        """Return what a work may return; None if no model of this program knows it."""
        for model in self._models():
            if work is not None and model.knows(work):
                try:
                    return model.work(work).result
                except UnknownWork:
                    continue
        return None

    def _models(self) -> list[ModelInfo]:
        apps = self._applications()
        if apps:
            return [app.model for app in apps]
        if self._model is None:  # this program only asks for work
            self._model = inspect_model(self.contract.mapper.registry)
        return [self._model]

    def _applications(self) -> list[Afterwork]:
        return applications_of(self.contract.table.metadata)


def _plain(engine: Engine) -> Engine:
    """Return an engine for a thread that waits, where an application's own has to be awaited."""
    if not engine.dialect.is_async or engine.dialect.name not in PLAIN_DRIVERS:
        return engine
    name = engine.dialect.name
    url = engine.url.set(drivername=PLAIN_DRIVERS[name])
    return create_engine(url, poolclass=NullPool, connect_args={**PLAIN_OPTIONS[name]})


def _closing(room: WaitingRoom):  # type: ignore[no-untyped-def]
    return lambda _: room.close()

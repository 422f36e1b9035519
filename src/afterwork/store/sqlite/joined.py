"""SQLite inside somebody else's transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from afterwork.store.joined import Joined
from afterwork.store.sqlite.database import LAST_CHANGE, SQLite


class JoinedSQLite(Joined, SQLite):
    """A SQLite file, or a database in memory, as one open transaction sees it."""

    def seen(self, connection: Connection) -> Any:
        return connection.exec_driver_sql(LAST_CHANGE).scalar_one()

    @contextmanager
    def reading_part(self, connection: Connection) -> Iterator[None]:
        with SQLite.reading_only(self, connection):
            yield

    def is_open(self, driver: Any) -> bool:
        return bool(driver.in_transaction)

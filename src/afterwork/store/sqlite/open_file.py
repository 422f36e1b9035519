"""The file that a connection has open, told from another one that takes over its name.

A connection keeps the file that it has opened. Once another file is renamed to its name, the connection goes on reading
and writing the earlier one, which nobody else sees.
"""

import os
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, event

from afterwork.errors import AnotherDatabase, FileIsGone

NOTE = "afterwork.file"
"""A key of the `info` of a driver's connection: the file that it has opened, or None for one in memory."""

MAX_POOLED = 100
"""The maximum number of pooled connections to earlier files that are let go of."""


@dataclass(frozen=True)
class OpenFile:
    """A file that connections have open, by its name and by what tells it from other files of this name."""

    name: str
    device: int
    inode: int

    @classmethod
    def at(cls, name: str) -> "OpenFile | None":
        """Return the file that has a name now; None without one."""
        try:
            status = os.stat(name)
        except OSError:
            return None
        return cls(name, status.st_dev, status.st_ino)

    def called(self, name: str | None) -> "OpenFile":
        """Return the file by another of its names, such as a link, if it has that, too."""
        if not name:
            return self
        linked = OpenFile.at(os.path.abspath(name))
        return self if linked is None or not linked.is_same_as(self) else linked

    def is_same_as(self, other: "OpenFile") -> bool:
        return (self.device, self.inode) == (other.device, other.inode)

    @property
    def is_in_place(self) -> bool:
        """Return whether the name still leads to the file."""
        current = OpenFile.at(self.name)
        return current is not None and current.is_same_as(self)

    def delete(self) -> None:
        """Delete the file, if it still has its name."""
        if self.is_in_place:
            with suppress(OSError):
                os.unlink(self.name)

    def check(self) -> None:
        """Raise `FileIsGone` or `AnotherDatabase` unless the name still leads to the file."""
        current = OpenFile.at(self.name)
        if current is None:
            raise FileIsGone(self.name)
        if not current.is_same_as(self):
            raise AnotherDatabase(f"another file has taken the place of {self.name}")


def note_files(engine: Engine) -> None:
    """Have each new connection of an engine note which file it has opened."""
    if not event.contains(engine, "connect", _note):
        event.listen(engine, "connect", _note)


def current_file(connection: Connection) -> OpenFile | None:
    """Return the file that a connection has open, and that has this name now.

    A pooled connection with an earlier file open is replaced by another one. None for a database in memory.
    """
    for _ in range(MAX_POOLED):
        if _is_current(connection):
            break
        connection.invalidate()
        _ = connection.connection  # SQLAlchemy takes another one
    return opened_file(connection)


def opened_file(connection: Connection) -> OpenFile | None:
    """Return the file that a connection has open; None for a database in memory."""
    file: OpenFile | None = connection.info.get(NOTE)
    return file


def _is_current(connection: Connection) -> bool:
    if NOTE not in connection.info:  # it was opened before anybody noted the file
        file = _opened_by(connection.connection.dbapi_connection)
        return file is None
    noted: OpenFile | None = connection.info[NOTE]
    if noted is None:
        return True
    name = connection.engine.url.database
    named = OpenFile.at(name) if name and os.path.isabs(name) else None
    return noted.is_in_place and (named is None or named.is_same_as(noted))


def _note(driver: Any, record: Any) -> None:
    record.info[NOTE] = _opened_by(driver)


def _opened_by(driver: Any) -> OpenFile | None:
    with closing(driver.cursor()) as cursor:
        cursor.row_factory = None
        databases = cursor.execute("PRAGMA database_list").fetchall()
    name = next((name for _, schema, name in databases if schema == "main"), None)
    return OpenFile.at(name) if name else None

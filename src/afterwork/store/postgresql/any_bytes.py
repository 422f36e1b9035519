"""Texts of databases in SQL_ASCII, which have no encoding: any program may have stored any bytes.

On a server's connections, bytes that are no UTF-8 are read as lone surrogates, and written back as they were (PEP 383,
as in `os.fsdecode`). Otherwise a single such text among the changes would keep all the others from being read.
"""

from typing import Any

from psycopg import Connection
from psycopg.adapt import Loader
from psycopg.types.string import StrDumper

from afterwork.store.postgresql.connecting import OwnCursor

TEXT_TYPES = ("text", "varchar", "bpchar", "name")


def allow_any_bytes(connection: Connection[Any]) -> None:
    """Let a connection read and write all texts of its database, if that has no encoding."""
    if connection.info.parameter_status("server_encoding") != "SQL_ASCII" or connection.info.encoding != "utf-8":
        return
    # PostgreSQL would refuse to send such bytes to a client that says that it takes UTF-8.
    connection.execute("SET client_encoding = 'SQL_ASCII'")
    connection.commit()
    for name in TEXT_TYPES:
        connection.adapters.register_loader(name, _AnyBytesLoader)
    connection.adapters.register_dumper(str, _AnyBytesDumper)
    if connection.cursor_factory is OwnCursor:
        connection.cursor_factory = _AnyBytesCursor


class _AnyBytesCursor(OwnCursor):
    as_sent = staticmethod(lambda query: query.encode() if isinstance(query, str) else query)


class _AnyBytesLoader(Loader):
    def load(self, data: Any) -> str:
        return bytes(data).decode("utf-8", "surrogateescape")


class _AnyBytesDumper(StrDumper):
    def dump(self, obj: str) -> bytes:
        return obj.encode("utf-8", "surrogateescape")

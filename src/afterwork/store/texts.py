"""Texts in a form that a database can store."""

import codecs
from typing import Any

from sqlalchemy import Column, Connection

SHORT = 50
"""The number of characters that any text column holds, however narrow it is."""


def storable(connection: Connection, text: str) -> str:
    """Return a text with the characters of the database's encoding; others are escaped as in a Python literal."""
    for encoding in _encodings(connection):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def storable_or_none(connection: Connection, text: str | None) -> str | None:
    return None if text is None else storable(connection, text)


def fitted(connection: Connection, column: Column[Any], text: str) -> str:
    """Return a storable text, cut to the declared length of its column."""
    kept, most = storable(connection, text), getattr(column.type, "length", None)
    return kept if most is None else cut(connection, kept, most)


def cut(connection: Connection, text: str, most: int) -> str:
    """Return the beginning of a text, with a mark where something is missing."""
    if len(text) <= most:
        return text
    mark = "…" if storable(connection, "…") == "…" else "..."
    return text[: most - len(mark)] + mark if most > len(mark) else text[:most]


def _encodings(connection: Connection) -> list[str]:
    """Return the encodings that a text passes on its way into the database, by their Python names."""
    info = getattr(connection.connection.dbapi_connection, "info", None)  # of psycopg; SQLite has UTF-8 alone
    if info is None or (info.encoding, server := info.parameter_status("server_encoding")) == ("utf-8", "UTF8"):
        return []
    return [info.encoding, _codec(server or "")]


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:  # SQL_ASCII, which is none; or one with another name in Python
        return "ascii"

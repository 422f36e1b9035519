"""Texts as a database can keep them."""

import codecs
from typing import Any

from sqlalchemy import Column, Connection

SHORT = 50
"""Characters that a column for texts holds, however narrow it is."""


def storable(connection: Connection, text: str) -> str:
    """A text with the characters that the database's encoding has; others are written as Python would in a literal."""
    for encoding in _encodings(connection):
        text = text.encode(encoding, "backslashreplace").decode(encoding)
    return text


def storable_or_none(connection: Connection, text: str | None) -> str | None:
    """The same of a text that there may be."""
    return None if text is None else storable(connection, text)


def fitted(connection: Connection, column: Column[Any], text: str) -> str:
    """A storable text, cut to as many characters as a column says that it holds."""
    kept, most = storable(connection, text), getattr(column.type, "length", None)
    return kept if most is None else cut(connection, kept, most)


def cut(connection: Connection, text: str, most: int) -> str:
    """The beginning of a text, with a mark where something is missing."""
    if len(text) <= most:
        return text
    mark = "…" if storable(connection, "…") == "…" else "..."
    return text[: most - len(mark)] + mark if most > len(mark) else text[:most]


def _encodings(connection: Connection) -> list[str]:
    """The encodings through which a text goes on its way into the database, as Python calls them."""
    info = getattr(connection.connection.dbapi_connection, "info", None)  # of psycopg; SQLite has UTF-8 alone
    if info is None or (info.encoding, server := info.parameter_status("server_encoding")) == ("utf-8", "UTF8"):
        return []
    return [info.encoding, _codec(server or "")]


def _codec(name: str) -> str:
    try:
        return codecs.lookup(name).name
    except LookupError:  # SQL_ASCII, which is none; or one that Python has another name for
        return "ascii"

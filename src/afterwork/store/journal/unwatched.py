"""The mark of a column or table whose changes nobody needs to know."""

from typing import Any

from sqlalchemy import Column, Table

UNWATCHED = {"afterwork": "unwatched"}
"""A key of the `info` of a column or table whose changes nobody needs to know."""


def is_unwatched(thing: Column[Any] | Table) -> bool:
    """Return whether a column or table is left out of capture."""
    return bool(thing.info.get("afterwork") == "unwatched")

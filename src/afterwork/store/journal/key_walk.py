"""Walk through the rows of a table in key order, a chunk at a time, whatever the key types.

Keys are read as the journal has them, never as the driver would read them: a single one that it can't read would hide
all others. The position where a chunk ends is kept as the database writes it, so that the next chunk starts there.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.store.journal.change import text_in
from afterwork.store.journal.text_forms import TextForm
from afterwork.store.journal.tracked_table import TrackedTable
from afterwork.store.journal.values import full_name, key_sql, quoted

Position = str
"""The position of a chunk's last row."""


@dataclass(frozen=True)
class KeyWalk(ABC):
    """A walk through the rows of one table in one kind of database."""

    connection: Connection
    tracked: TrackedTable

    def chunk(self, after: Position | None, limit: int) -> tuple[list[int | str], Position | None]:
        """Return the next rows' keys in the journal's form, and the last row's position; None at the end."""
        rows = self.rows([] if after is None else _read(after, len(self.columns)), limit)
        if not rows:
            return [], None
        return [text_in(row[0]) for row in rows], json.dumps(list(rows[-1][1:]))

    @abstractmethod
    def rows(self, last: Sequence[str], limit: int) -> Sequence[Sequence[str]]:
        """Return up to `limit` rows after the `last` one ([] for the first): their keys and position columns."""

    @property
    def columns(self) -> list[str]:
        return [f"walked.{quoted(column.name)}" for column in self.tracked.key]

    @property
    def forms(self) -> list[TextForm]:
        return [self.tracked.forms[column.name] for column in self.tracked.key]

    @property
    def table(self) -> str:
        return full_name(self.tracked.table)

    @property
    def key(self) -> str:
        """Return SQL for the key as the journal has it."""
        if self.tracked.has_number_key:
            return self.columns[0]
        return key_sql(self.forms, self.columns, self.connection.dialect)


def _read(position: Position, parts: int) -> list[str]:
    """Read a kept position. An older Afterwork wrote it in another format: the walk then restarts."""
    try:
        parsed = json.loads(position)
    except ValueError:
        return []
    return parsed if isinstance(parsed, list) and len(parsed) == parts else []

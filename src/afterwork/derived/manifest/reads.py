"""The reads of one run."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from afterwork.derived.manifest.read_pattern import Key, QueryRead, RowRead


@dataclass
class Reads:
    """The reads of one run.

    `rows`: the columns (a mask; 0 for the mere existence) read of each row, by table id and key. `own`: the rows of the
    object itself into which the result is written. `queries`: the query reads, each with the key of the values it asked
    for (parts joined by `tracked_table.joined`; "" where it asked for all rows). `valid_until`: the first timestamp at
    which `aw.passed` would answer otherwise.
    """

    rows: dict[tuple[int, Key], int] = field(default_factory=lambda: defaultdict(int))
    own: dict[tuple[int, Key], RowRead] = field(default_factory=dict)
    queries: set[tuple[QueryRead, str]] = field(default_factory=set)
    valid_until: datetime | None = None

    def add_row(self, table_id: int, key: Key, columns: int) -> None:
        """Add a row read."""
        self.rows[table_id, key] |= columns

    def add_own_row(self, table_id: int, key: Key, columns: int, own_column: int) -> None:
        """Add the read of a row of the object itself, into whose column `own_column` the result is written."""
        columns |= self.rows.pop((table_id, key), 0)
        if (known := self.own.get((table_id, key))) is not None:
            columns |= known.columns
        self.own[table_id, key] = RowRead(table_id, columns, own_column)

    def add_query(self, query: QueryRead, key: str) -> None:
        """Add a query read."""
        self.queries.add((query, key))

    def add_all(self, others: "Reads") -> None:
        """Add all reads of another run."""
        for (table_id, key), columns in others.rows.items():
            known = self.own.get((table_id, key))
            if known is None:
                self.add_row(table_id, key, columns)
            else:
                self.add_own_row(table_id, key, columns, known.own_column)
        for (table_id, key), row in others.own.items():
            self.add_own_row(table_id, key, row.columns, row.own_column)
        self.queries |= others.queries

    def limit_until(self, timestamp: datetime) -> None:
        """Limit the result's validity to a timestamp."""
        self.valid_until = timestamp if self.valid_until is None else min(self.valid_until, timestamp)

"""What one run has read."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from afterwork.derived.manifest.read_pattern import Key, QueryRead, RowRead


@dataclass
class Reads:
    """The reads of one run. `rows` has, by watch and key, the set of columns that were read of a row (0: only that it
    exists); `own` the rows of the object itself into which the result is written; `wheres` the questions that were
    asked, each with the key of the values it asked for (parts joined by `watch.joined`; "" where it asked for all
    rows); `due` is the first moment at which `aw.passed` would answer otherwise."""

    rows: dict[tuple[int, Key], int] = field(default_factory=lambda: defaultdict(int))
    own: dict[tuple[int, Key], RowRead] = field(default_factory=dict)
    queries: set[tuple[QueryRead, str]] = field(default_factory=set)
    valid_until: datetime | None = None

    def add_row(self, watch: int, key: Key, columns: int) -> None:
        """A row was read."""
        self.rows[watch, key] |= columns

    def add_own_row(self, watch: int, key: Key, columns: int, written: int) -> None:
        """A row of the object itself was read, into which the result is written."""
        columns |= self.rows.pop((watch, key), 0)
        if (known := self.own.get((watch, key))) is not None:
            columns |= known.columns
        self.own[watch, key] = RowRead(watch, columns, written)

    def add_query(self, shape: QueryRead, key: str) -> None:
        """A question was asked."""
        self.queries.add((shape, key))

    def add_all(self, others: "Reads") -> None:
        """All that was read here was read as well."""
        for (watch, key), columns in others.rows.items():
            known = self.own.get((watch, key))
            if known is None:
                self.add_row(watch, key, columns)
            else:
                self.add_own_row(watch, key, columns, known.written)
        for (watch, key), row in others.own.items():
            self.add_own_row(watch, key, row.columns, row.written)
        self.queries |= others.queries

    def limit_until(self, moment: datetime) -> None:
        """The result holds no longer than until a moment."""
        self.valid_until = moment if self.valid_until is None else min(self.valid_until, moment)

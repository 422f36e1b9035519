"""What one run has read."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from afterwork.manifest.shape import Key, Where


@dataclass
class Reads:
    """The reads of one run. `rows` has, by watch and key, the set of columns that were read of a row (0: only that it
    exists); `wheres` the questions that were asked, each with the key of the values it asked for (parts joined by
    `watch.joined`; "" where it asked for all rows); `due` is the first moment at which `aw.passed` would answer
    otherwise."""

    rows: dict[tuple[int, Key], int] = field(default_factory=lambda: defaultdict(int))
    wheres: set[tuple[Where, str]] = field(default_factory=set)
    due: datetime | None = None

    def row(self, watch: int, key: Key, columns: int) -> None:
        """A row was read."""
        self.rows[watch, key] |= columns

    def where(self, shape: Where, key: str) -> None:
        """A question was asked."""
        self.wheres.add((shape, key))

    def until(self, moment: datetime) -> None:
        """The result holds no longer than until a moment."""
        self.due = moment if self.due is None else min(self.due, moment)

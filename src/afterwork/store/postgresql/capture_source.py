"""What the triggers on PostgreSQL execute, as the text of a function."""

from dataclasses import dataclass
from functools import cached_property

from afterwork.store.journal.tracked_table import EVERY_COLUMN
from afterwork.store.postgresql.capture_pairs import Pairing, Pairs
from afterwork.store.postgresql.capture_rows import TransitionRows

AT_ONCE = 20_000
"""Rows that become one row of the journal, at most."""

BYTES_AT_ONCE = 200_000_000
"""Bytes of images in one row of the journal, at most: a value has room for a gigabyte."""

BYTES_OF_VALUE, BYTES_OF_KEY = 300, 6000
"""What a value and a key take in an image, at most."""


@dataclass(frozen=True)
class TriggerFunction:
    """The body of the function of one table. `schema` is that of the journal, `wake` the statement that wakes
    servers."""

    schema: str
    wake: str
    rows: TransitionRows
    pairing: Pairing

    def function(self) -> str:
        """All of it. The plans of its statements are kept by each session."""
        return f"""
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
    afterwork_are_known boolean;
BEGIN
    IF TG_OP = 'UPDATE' THEN
{self._in_parts("afterwork_old", Insert(self, "u", Pairs(self.rows, self.pairing).images()))}
    ELSIF TG_OP = 'INSERT' THEN
{self._in_parts("afterwork_new", Insert(self, "i", self._images("afterwork_new")))}
    ELSIF TG_OP = 'DELETE' THEN
{self._in_parts("afterwork_old", Insert(self, "d", self._images("afterwork_old")))}
    ELSE
        {self._of_any_row};
    END IF;
    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;
    IF afterwork_rows = 0 THEN
        RETURN NULL;
    END IF;{self.wake}    RETURN NULL;
END """

    def _in_parts(self, source: str, insert: "Insert") -> str:
        known, rows = self.rows.are_known("r", self.schema), self.rows.of(source)
        few = f"SELECT {known} AS known FROM {rows} AS r LIMIT {self.at_once + 1}"
        return f"""
        SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM ({few}) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            {self._of_any_row};
        ELSIF afterwork_rows <= {self.at_once} THEN
            {insert.sql(chunked=False)};
        ELSE
            {insert.sql(chunked=True)};
        END IF;"""

    @property
    def _of_any_row(self) -> str:
        """A statement that writes down that any row may have come, gone or changed."""
        values = f"pg_current_xact_id(), now(), {self.rows.watched.id}, 'T', NULL, NULL, {EVERY_COLUMN}, NULL, NULL"
        return f"{self.into} VALUES ({values})"

    def _images(self, source: str) -> str:
        image = f"ARRAY[{self.rows.image('r')}]"
        return f"SELECT {image} AS before, {image} AS after FROM {self.rows.of(source)} AS r"

    @cached_property
    def into(self) -> str:
        columns = "tx, changed_at, table_id, kind, key, key_text, columns, old, new"
        return f"INSERT INTO {self.schema}.afterwork_journal ({columns})"

    @cached_property
    def at_once(self) -> int:
        """Rows that become one row of the journal."""
        bytes_of_key = BYTES_OF_KEY if self.rows.key_place < 0 and self.rows.key else 0
        widest = BYTES_OF_VALUE * len(self.rows.watched.valued) + bytes_of_key
        return min(AT_ONCE, BYTES_AT_ONCE // max(1, widest))


@dataclass(frozen=True)
class Insert:
    """A statement that writes changes into the journal. `images` has the columns `before` and `after`."""

    source: TriggerFunction
    kind: str
    images: str

    def sql(self, *, chunked: bool) -> str:
        source, rows = self.source, self.source.rows
        before = "NULL" if self.kind == "i" else "array_agg(before)"
        after = "NULL" if self.kind == "d" else "array_agg(after)"
        bits = f"'{','.join(str(rows.bit(name)) for name in rows.watched.valued)}'" if self.kind == "u" else "NULL"
        part = f", (row_number() OVER () - 1) / {source.at_once} AS part" if chunked else ""
        images = f"(SELECT *{part} FROM ({self.images}) AS image) AS image" if chunked else f"({self.images}) AS image"
        group = " GROUP BY part" if chunked else ""
        return (
            f"{source.into} SELECT pg_current_xact_id(), now(), {rows.watched.id}, '{self.kind}', {rows.key_place},"
            f" {bits}, {EVERY_COLUMN}, {before}, {after} FROM {images}{group} HAVING count(*) > 0"
        )

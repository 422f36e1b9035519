"""The text of the functions that the triggers on PostgreSQL execute.

The form of the entries that they write is in `store/journal/change.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from afterwork.store.journal.change import ADDED, MOVED
from afterwork.store.journal.tracked_table import EVERY_COLUMN
from afterwork.store.postgresql.capture_rows import TransitionRows
from afterwork.store.postgresql.row_pairs import Pairing, any_of, differing
from afterwork.store.postgresql.touch_text import touch_blocks


@dataclass(frozen=True)
class Pairs:
    """The pairs that differ. In a pair, the old image has only what differs, or all of a removed row."""

    rows: TransitionRows
    pairing: Pairing

    def images(self) -> str:
        """Return a query for the images before and after."""
        old, new = (self.rows.of(f"afterwork_{side}", *self.pairing.more) for side in ("old", "new"))
        # With OFFSET, the images are made here. An aggregate would keep both sides of a row, which may be too wide.
        return (
            f"SELECT ARRAY[{', '.join(self._before())}] AS before, ARRAY[{self.rows.image('n')}] AS after"
            f" FROM {old} AS o FULL JOIN {new} AS n ON {self.pairing.on} WHERE {self._differ} OFFSET 0"
        )

    def _before(self) -> Iterable[str]:
        for name, value in zip(self.rows.captured.valued, self.rows.values("o"), strict=True):
            differs = [self.pairing.is_other, *differing(self.rows, {name} & set(self.rows.places))]
            yield f"CASE WHEN {any_of(differs)} THEN {value} END"
        if self.rows.key_place < 0:
            is_gone = any_of([self.pairing.is_missing("n"), self.pairing.is_other])
            yield f"CASE WHEN {is_gone} THEN {self.rows.key_text('o')} END"
        yield self._changed

    @property
    def _differ(self) -> str:
        # Nothing else may be known of a row without a key.
        alone = [] if self.rows.key else [self.pairing.is_missing("o"), self.pairing.is_missing("n")]
        return any_of([*alone, *differing(self.rows, self.rows.places)])

    @property
    def _changed(self) -> str:
        """Return the set of columns that differ, as a text, or the marker in its place."""
        return (
            f"CASE WHEN {self.pairing.is_missing('o')} THEN '{ADDED}' WHEN {self.pairing.is_missing('n')} THEN NULL"
            f" WHEN {self.pairing.is_other} THEN '{MOVED}' ELSE ({' | '.join(self._bits) or '0'})::text END"
        )

    @cached_property
    def _bits(self) -> list[str]:
        columns: dict[int, list[str]] = {}
        for name in self.rows.places:
            if name not in self.rows.key:  # a row with another key is another row
                columns.setdefault(self.rows.bit(name), []).append(name)
        return [
            f"CASE WHEN {any_of(differing(self.rows, names))} THEN {bit}::bigint ELSE 0 END"
            for bit, names in columns.items()
        ]


MAX_ROWS_PER_ENTRY = 20_000
"""The maximum number of changed rows in one entry of the journal."""

MAX_BYTES_PER_ENTRY = 200_000_000
"""The maximum size in bytes of the images in one entry of the journal. PostgreSQL limits a value to a gigabyte."""

MAX_VALUE_BYTES, MAX_KEY_BYTES = 300, 6000
"""The assumed maximum sizes in bytes of a value and a key in an image."""


@dataclass(frozen=True)
class TriggerFunction:
    """The body of the function of one table. `schema` is the journal's, `wake` the statement that wakes servers."""

    schema: str
    wake: str
    rows: TransitionRows
    pairing: Pairing

    def function(self) -> str:
        """Return the whole body. Each session keeps the plans of its statements."""
        return self._journaling if self.rows.captured.is_journaled else self._touching

    @property
    def _journaling(self) -> str:
        """Return the body that writes changes into the journal, and touches."""
        return f"""
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
    afterwork_are_known boolean;
BEGIN
    IF TG_NARGS > 0 THEN
        {self._of_any_row};
    ELSIF TG_OP = 'UPDATE' THEN
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
    END IF;{self._touches}{self.wake}    RETURN NULL;
END """

    @property
    def _touches(self) -> str:
        return touch_blocks(self.schema, self.rows, self.pairing, self.rows.captured.routes)

    @property
    def _touching(self) -> str:
        """Return the body that writes only touches, for a table that no run with a manifest reads."""
        if not self._touches:
            return "\nBEGIN\n    RETURN NULL;\nEND "
        return f"""
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
    afterwork_are_known boolean;
BEGIN
    IF TG_NARGS > 0 OR TG_OP = 'TRUNCATE' THEN
        afterwork_rows := 1;
    ELSIF TG_OP = 'INSERT' THEN
        {self._look("afterwork_new")};
    ELSE
        {self._look("afterwork_old")};
    END IF;
    IF afterwork_rows = 0 THEN
        RETURN NULL;
    END IF;{self._touches}{self._wake_if_touched}
    RETURN NULL;
END """

    @property
    def _wake_if_touched(self) -> str:
        if all(route.spec.at_commit for route in self.rows.captured.routes):
            return ""  # no server follows these
        return f"""
    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;
    IF afterwork_rows > 0 THEN{self.wake}    END IF;"""

    def _look(self, source: str) -> str:
        """Return the statement that counts rows, up to one entry's, and tells whether their types are known."""
        known, rows = self.rows.are_known("r", self.schema), self.rows.of(source)
        few = f"SELECT {known} AS known FROM {rows} AS r LIMIT {self.rows_per_entry + 1}"
        return f"SELECT count(*), bool_and(known) INTO afterwork_rows, afterwork_are_known FROM ({few}) AS few"

    def _in_parts(self, source: str, insert: "Insert") -> str:
        return f"""
        {self._look(source)};
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF NOT afterwork_are_known THEN
            {self._of_any_row};
        ELSIF afterwork_rows <= {self.rows_per_entry} THEN
            {insert.sql(chunked=False)};
        ELSE
            {insert.sql(chunked=True)};
        END IF;"""

    @property
    def _of_any_row(self) -> str:
        """Return a statement that journals a change of unknown rows: any may have been inserted, deleted or changed."""
        values = f"pg_current_xact_id(), now(), {self.rows.captured.id}, 'T', NULL, NULL, {EVERY_COLUMN}, NULL, NULL"
        return f"{self.into} VALUES ({values})"

    def _images(self, source: str) -> str:
        image = f"ARRAY[{self.rows.image('r')}]"
        return f"SELECT {image} AS before, {image} AS after FROM {self.rows.of(source)} AS r"

    @cached_property
    def into(self) -> str:
        columns = "tx, changed_at, table_id, kind, key, key_text, columns, old, new"
        return f"INSERT INTO {self.schema}.afterwork_journal ({columns})"

    @cached_property
    def rows_per_entry(self) -> int:
        """Return the number of changed rows of this table that fit into one entry of the journal."""
        bytes_of_key = MAX_KEY_BYTES if self.rows.key_place < 0 and self.rows.key else 0
        widest = MAX_VALUE_BYTES * len(self.rows.captured.valued) + bytes_of_key
        return min(MAX_ROWS_PER_ENTRY, MAX_BYTES_PER_ENTRY // max(1, widest))


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
        bits = f"'{','.join(str(rows.bit(name)) for name in rows.captured.valued)}'" if self.kind == "u" else "NULL"
        part = f", (row_number() OVER () - 1) / {source.rows_per_entry} AS part" if chunked else ""
        images = f"(SELECT *{part} FROM ({self.images}) AS image) AS image" if chunked else f"({self.images}) AS image"
        group = " GROUP BY part" if chunked else ""
        return (
            f"{source.into} SELECT pg_current_xact_id(), now(), {rows.captured.id}, '{self.kind}', {rows.key_place},"
            f" {bits}, {EVERY_COLUMN}, {before}, {after} FROM {images}{group} HAVING count(*) > 0"
        )

"""What the triggers on PostgreSQL execute, as the text of a function."""

from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Dialect, Table

from afterwork.journal.capture import Watched
from afterwork.journal.change import ADDED
from afterwork.journal.forms import Forms
from afterwork.journal.values import key_sql, quoted, value_sql
from afterwork.journal.watch import EVERY_COLUMN, LAST_BIT, is_number

AT_ONCE = 20_000
"""Rows that become one row of the journal, at most: a value has room for a gigabyte."""


@dataclass(frozen=True)
class Column:
    """A column as the database has it."""

    name: str
    type: str
    is_builtin: bool
    has_equality: bool
    needs_bytes: bool
    expression: str | None

    @property
    def source(self) -> str:
        """The column in a transition table, which has no columns that are only calculated."""
        return quoted(self.name) if self.expression is None else f"({self.expression})"

    @property
    def missing(self) -> str:
        """What stands for the column once it has been dropped or renamed."""
        return f"NULL::{self.type if self.is_builtin else 'text'} AS {quoted(self.name)}"

    def compared(self, reference: str) -> str:
        """An expression that is equal when the values are the same."""
        if not self.has_equality:
            return f"{reference}::text"
        return f'{reference} COLLATE "C"' if self.needs_bytes else reference


@dataclass(frozen=True)
class Source:
    """The body of the function of one table, in which the columns are c0, c1 and so on. `schema` is that of the
    journal, `wake` the statement that wakes servers."""

    schema: str
    wake: str
    dialect: Dialect
    watched: Watched
    table: Table
    columns: list[Column]

    def function(self) -> str:
        """All of it. The plans of its statements are kept by each session."""
        update = self._update() if self._key else self._update_without_key()
        return f"""
#variable_conflict use_column
DECLARE
    afterwork_rows bigint;
BEGIN
    IF TG_OP = 'UPDATE' THEN
{self._in_parts("afterwork_new", *update)}
    ELSIF TG_OP = 'INSERT' THEN
{self._in_parts("afterwork_new", self._one("i"))}
    ELSIF TG_OP = 'DELETE' THEN
{self._in_parts("afterwork_old", self._one("d"))}
    ELSE
        {self.into}
        VALUES (pg_current_xact_id(), now(), {self.watched.id}, 'T', NULL, NULL, {EVERY_COLUMN}, NULL, NULL);
    END IF;
    GET DIAGNOSTICS afterwork_rows = ROW_COUNT;
    IF afterwork_rows = 0 THEN
        RETURN NULL;
    END IF;{self.wake}    RETURN NULL;
END """

    def _in_parts(self, source: str, *inserts: "Insert") -> str:
        few = "\n".join(f"            {insert.sql(chunked=False)};" for insert in inserts)
        many = "\n".join(f"            {insert.sql(chunked=True)};" for insert in inserts)
        return f"""        SELECT count(*) INTO afterwork_rows FROM (SELECT FROM {source} LIMIT {AT_ONCE + 1}) AS few;
        IF afterwork_rows = 0 THEN
            RETURN NULL;
        ELSIF afterwork_rows <= {AT_ONCE} THEN
{few}
        ELSE
{many}
        END IF;"""

    def _one(self, kind: str) -> "Insert":
        rows = self._rows("afterwork_new" if kind == "i" else "afterwork_old")
        image = f"ARRAY[{self._image('c')}]"
        both = (
            f"NULL::text[] AS before, {image} AS after" if kind == "i" else f"{image} AS before, NULL::text[] AS after"
        )
        return Insert(self, kind, f"SELECT {both} FROM {rows} AS r")

    def _update(self) -> list["Insert"]:
        keys = [place for place, column in enumerate(self.columns) if column.name in self._key]
        on = " AND ".join(
            f"{self.columns[place].compared(f'o.c{place}')} = {self.columns[place].compared(f'n.c{place}')}"
            for place in keys
        )
        pairs = ", ".join(f"o.c{place} AS o{place}, n.c{place} AS n{place}" for place in range(len(self.columns)))
        first = keys[0]
        pair = (
            f"SELECT {pairs}, CASE WHEN o.c{first} IS NULL THEN {ADDED} WHEN n.c{first} IS NULL THEN NULL"
            f" ELSE {self._changed()} END AS changed"
            f" FROM {self._rows('afterwork_old')} AS o FULL JOIN {self._rows('afterwork_new')} AS n ON {on} OFFSET 0"
        )
        before, after = self._differing_image(), self._image("n")
        return [
            Insert(
                self,
                "u",
                f"SELECT ARRAY[{before}] AS before, ARRAY[{after}] AS after FROM ({pair}) AS pair"
                " WHERE changed IS DISTINCT FROM 0",
            )
        ]

    def _update_without_key(self) -> list["Insert"]:
        """Rows that can't be told apart: those that are no more, and those that are new."""
        old, new = (self._rows(f"afterwork_{side}", compared=True) for side in ("old", "new"))
        image = f"ARRAY[{self._image('c')}]"
        less = "(SELECT * FROM {} AS a EXCEPT ALL SELECT * FROM {} AS b) AS r"
        gone = f"SELECT {image} AS before, NULL::text[] AS after FROM {less.format(old, new)}"
        come = f"SELECT NULL::text[] AS before, {image} AS after FROM {less.format(new, old)}"
        return [Insert(self, "d", gone), Insert(self, "i", come)]

    @cached_property
    def _key(self) -> list[str]:
        key = [column.name for column in self.table.primary_key.columns]
        return key if set(key) <= {column.name for column in self.columns} else []

    @cached_property
    def into(self) -> str:
        columns = "tx, moment, watch, kind, key, key_text, columns, old, new"
        return f"INSERT INTO {self.schema}.afterwork_journal ({columns})"

    @cached_property
    def key_place(self) -> int:
        """Where the key is in an image."""
        is_one = is_number([self._forms[name] for name in self._key])
        return self.watched.valued.index(self._key[0]) if is_one else -1

    def _rows(self, source: str, *, compared: bool = False) -> str:
        """The rows of a transition table. A column that is dropped or renamed one day is null from then on, rather than
        an error for all who write: its name then means the one of `missing`."""
        names = (column.source for column in self.columns)
        expressions = [
            column.compared(name) if compared else name for column, name in zip(self.columns, names, strict=True)
        ]
        columns = ", ".join(f"{expression} AS c{place}" for place, expression in enumerate(expressions))
        missing = ", ".join(column.missing for column in self.columns)
        return f"(SELECT r.* FROM (SELECT {missing}) AS missing, LATERAL (SELECT {columns} FROM {source}) AS r)"

    def _image(self, prefix: str) -> str:
        return ", ".join(self._elements(prefix))

    def _elements(self, prefix: str) -> list[str]:
        """The elements of an image. A valued column that is no more keeps its place."""
        places = {column.name: place for place, column in enumerate(self.columns)}
        elements = [
            value_sql(self._forms[name], f"{prefix}{places[name]}")
            if name in places and self._forms[name].is_exact
            else "NULL::text"
            for name in self.watched.valued
        ]
        if self.key_place < 0:
            references = [f"{prefix}{places[name]}" for name in self._key]
            forms = [self._forms[name] for name in self._key]
            key = key_sql(forms, references, self.dialect) if references else None
            elements.append(key or "NULL::text")
        return elements

    def _differing_image(self) -> str:
        """The elements of the old image in an update: what differs, or all of a row that is no more."""
        *values, key = [*self._elements("o"), *([] if self.key_place < 0 else ["NULL"])]
        elements = [
            f"CASE WHEN changed & {bit} = 0 THEN NULL ELSE {value} END"
            for bit, value in zip(self.bits_of_values, values, strict=True)
        ]
        if self.key_place < 0:
            elements.append(f"CASE WHEN changed IS NULL THEN {key} END")
        return ", ".join([*elements, "changed::text"])

    @cached_property
    def bits_of_values(self) -> list[int]:
        """The bit of each valued column."""
        return [1 << min(self.watched.columns.index(name), LAST_BIT) for name in self.watched.valued]

    @property
    def _forms(self) -> Forms:
        return self.watched.forms or {}

    def _changed(self) -> str:
        """The set of columns that differ. A key differs only by being another row."""
        bits = {name: 1 << min(place, LAST_BIT) for place, name in enumerate(self.watched.columns)}
        terms = [
            f"CASE WHEN {column.compared(f'o.c{place}')} IS DISTINCT FROM {column.compared(f'n.c{place}')}"
            f" THEN {bits[column.name]}::bigint ELSE 0 END"
            for place, column in enumerate(self.columns)
            if column.name not in self._key
        ]
        return " | ".join(terms) or "0"


@dataclass(frozen=True)
class Insert:
    """A statement that writes changes into the journal. `images` has the columns `before` and `after`."""

    source: Source
    kind: str
    images: str

    def sql(self, *, chunked: bool) -> str:
        source = self.source
        before = "NULL" if self.kind == "i" else "array_agg(before)"
        after = "NULL" if self.kind == "d" else "array_agg(after)"
        bits = f"'{','.join(map(str, source.bits_of_values))}'" if self.kind == "u" else "NULL"
        part = f", (row_number() OVER () - 1) / {AT_ONCE} AS part" if chunked else ""
        images = f"(SELECT *{part} FROM ({self.images}) AS image) AS image" if chunked else f"({self.images}) AS image"
        group = " GROUP BY part" if chunked else ""
        return (
            f"{source.into} SELECT pg_current_xact_id(), now(), {source.watched.id}, '{self.kind}', {source.key_place},"
            f" {bits}, {EVERY_COLUMN}, {before}, {after} FROM {images}{group} HAVING count(*) > 0"
        )

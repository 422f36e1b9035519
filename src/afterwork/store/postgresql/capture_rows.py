"""The rows that a trigger on PostgreSQL receives, as SQL: the forms of their columns, and the images made of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Dialect, Table

from afterwork.store.journal.capture import CapturedTable
from afterwork.store.journal.text_forms import OTHER, Forms
from afterwork.store.journal.tracked_table import LAST_BIT, is_number
from afterwork.store.journal.values import key_sql, quoted, value_sql

_FORMS: Mapping[str | None, str] = {
    **dict.fromkeys(("int2", "int4", "int8"), "integer"),
    **dict.fromkeys(("text", "varchar", "name"), "text"),
    "bool": "boolean",
    "bpchar": "padded",
    **{name: name for name in ("uuid", "date", "timestamp", "timestamptz", "time", "numeric", "bytea")},
}


EXACT = [
    *("bool", "int2", "int4", "int8", "oid", "uuid", "text", "varchar", "bytea"),
    *("date", "time", "timestamp", "timestamptz"),
]
"""PostgreSQL's own types whose equal values are the same in every way. So are those of enums."""


ALIKE = ((20, 21, 23), (25, 1043))
"""The numbers of types that replace one another: whole numbers, and texts."""


TYPE_OF = "afterwork_type_of"


def type_of(schema: str, value: str) -> str:
    """Return SQL for the number of a value's type, behind its domain."""
    return f"{schema}.{TYPE_OF}({value})"


def type_of_function(schema: str) -> tuple[str, str]:
    """Return the statements that create the function of `type_of`, for all whose tables are captured. `pg_typeof` by
    itself is called at each execution, since nobody has promised that it is immutable."""
    name = type_of(schema, "pg_catalog.anyelement")
    body = "BEGIN RETURN pg_catalog.pg_typeof($1)::pg_catalog.oid; END"
    how = f"RETURNS pg_catalog.oid LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS '{body}'"
    return f"CREATE FUNCTION {name} {how}", f"GRANT EXECUTE ON FUNCTION {name} TO PUBLIC"


@dataclass(frozen=True)
class CapturedColumn:
    """A column of the database. `type` is the number of its values' type, behind all domains, `type_name` its name if
    it is PostgreSQL's own; `stand_in` is the same, or that of text. Texts are equal only as they are if it `is_plain`,
    by the column's own collation."""

    name: str
    type: int
    type_name: str | None
    stand_in: int
    stand_in_name: str
    is_exact: bool
    is_text: bool
    is_enum: bool
    is_plain: bool
    expression: str | None

    @property
    def form(self) -> str:
        """Return the name of the form in which the values are written as text."""
        known = "text" if self.is_enum else _FORMS.get(self.type_name)
        return known if known is not None and self.is_plain else f"{OTHER} {self.type}"

    @property
    def source(self) -> str:
        """Return the column in a transition table, which lacks columns that are only calculated."""
        return quoted(self.name) if self.expression is None else f"({self.expression})"

    @property
    def missing(self) -> str:
        """Return the replacement for the column once it has been dropped or renamed."""
        return f"NULL::{self.stand_in_name} AS {quoted(self.name)}"

    @property
    def types(self) -> list[int]:
        """Return the numbers of the types for which this column's SQL means the same."""
        alike = next((alike for alike in ALIKE if self.stand_in in alike), ())
        return sorted({self.type, self.stand_in, *alike})

    def compared(self, reference: str) -> str:
        """Return the column in a form comparable by `=`, if its type is exact."""
        # Regardless of collation. The cast lets writers go on if it has become JSON, say, which has no equality.
        return f'{reference}::text COLLATE "C"' if self.is_text else reference

    def differs(self, old: str, new: str) -> str:
        """Return the condition that a calculation could tell the values apart, as it can 1.5 and 1.50."""
        if self.is_exact:
            return f"{self.compared(old)} IS DISTINCT FROM {self.compared(new)}"
        # PostgreSQL can compare the bytes of records, whatever their types. As an operator, it would be taken for one
        # between their columns.
        return f"record_image_ne(ROW({old}), ROW({new}))"


@dataclass(frozen=True)
class TransitionRows:
    """The rows of one table, with the columns named c0, c1 and so on."""

    dialect: Dialect
    captured: CapturedTable
    table: Table
    columns: list[CapturedColumn]

    @cached_property
    def key(self) -> list[str]:
        """Return the names of the key's columns; [] without a key."""
        key = [column.name for column in self.table.primary_key.columns]
        return key if set(key) <= set(self.places) else []

    @cached_property
    def places(self) -> dict[str, int]:
        """Return the number of each column."""
        return {column.name: place for place, column in enumerate(self.columns)}

    @cached_property
    def key_place(self) -> int:
        """Return the position of the key in an image."""
        is_one = is_number([self.forms[name] for name in self.key])
        return self.captured.valued.index(self.key[0]) if is_one else -1

    def of(self, source: str, *more: str) -> str:
        """Return the rows of a transition table. A column that is later dropped or renamed becomes null, instead of an
        error for all writers: its name then refers to the one of `missing`."""
        names = [f"{column.source} AS c{place}" for place, column in enumerate(self.columns)]
        missing = ", ".join(column.missing for column in self.columns)
        columns = ", ".join([*names, *more])
        return f"(SELECT r.* FROM (SELECT {missing}) AS missing, LATERAL (SELECT {columns} FROM {source}) AS r)"

    def are_known(self, side: str, schema: str) -> str:
        """Return the condition that all columns still have types for which the SQL was made. After a migration,
        functions for them may be missing, say, which would be an error for all writers.

        PostgreSQL evaluates it while it plans a statement, which it repeats after a migration: a null of a column's
        type is a constant, and so is what `type_of` makes of it.
        """
        nulls = (
            (column, f"CASE WHEN true THEN NULL ELSE {side}.c{place} END") for place, column in enumerate(self.columns)
        )
        known = (f"{type_of(schema, null)} IN ({', '.join(map(str, column.types))})" for column, null in nulls)
        return " AND ".join(known) or "true"

    def image(self, side: str) -> str:
        """Return the image of a row: the text of each valued column, and of a key that is no number."""
        return ", ".join([*self.values(side), *([self.key_text(side)] if self.key_place < 0 else [])])

    def values(self, side: str) -> list[str]:
        """Return the texts of the valued columns. One that was removed keeps its position."""
        return [
            value_sql(self.forms[name], f"{side}.c{self.places[name]}")
            if name in self.places and self.forms[name].is_exact
            else "NULL::text"
            for name in self.captured.valued
        ]

    def key_text(self, side: str) -> str:
        """Return the text of the key, null without one."""
        references = [f"{side}.c{self.places[name]}" for name in self.key]
        forms = [self.forms[name] for name in self.key]
        return (key_sql(forms, references, self.dialect) if references else None) or "NULL::text"

    def bit(self, name: str) -> int:
        """Return the bit of a column in sets of columns."""
        return 1 << min(self.captured.columns.index(name), LAST_BIT)

    @property
    def forms(self) -> Forms:
        return self.captured.forms or {}

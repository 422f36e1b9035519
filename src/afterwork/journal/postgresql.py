"""Capture on PostgreSQL: statement triggers, which see all rows of a statement at once.

The changes of a statement become one row of the journal (see `change.py`), or, of very many, a few. Names of
Afterwork's tables are written with their schema, since writers have search paths of their own. Columns have numbers
instead of names as soon as they are read, so that no name of a column can be taken for another thing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy import Row, Table, text

from afterwork.journal.capture import Capture, Plan, Present, Watched
from afterwork.journal.change import ADDED
from afterwork.journal.values import is_valued, key_sql, quoted, value_sql
from afterwork.journal.watch import EVERY_COLUMN, LAST_BIT, Watch
from afterwork.store.sleep import wake_statement

AT_ONCE = 20_000
"""Rows that become one row of the journal, at most: a value has room for a gigabyte."""

EVENTS = {
    "insert": "INSERT ON {table} REFERENCING NEW TABLE AS afterwork_new",
    "update": "UPDATE ON {table} REFERENCING OLD TABLE AS afterwork_old NEW TABLE AS afterwork_new",
    "delete": "DELETE ON {table} REFERENCING OLD TABLE AS afterwork_old",
    "truncate": "TRUNCATE ON {table}",
}

_SCHEMA = text(
    "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = to_regclass('afterwork_journal')"
)

_OPEN = text(
    "SELECT has_schema_privilege('public', :schema, 'USAGE'),"
    " has_table_privilege('public', to_regclass('afterwork_journal'), 'INSERT')"
)

# A partition is written by itself as well as through the whole, and the triggers of the whole don't fire then.
_RELATIONS = text("""
SELECT c.oid, c.relkind, c.oid::regclass::text AS name,
       format('%I.%I', n.nspname, c.relname) AS quoted
FROM (SELECT to_regclass(:table)::oid AS oid UNION SELECT relid::oid FROM pg_partition_tree(to_regclass(:table))) t
JOIN pg_class c ON c.oid = t.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' ORDER BY c.oid
""")

# A type can be compared if it is PostgreSQL's own and has an order. Others have no equality, or one that a writer with
# another search path doesn't find.
_COLUMNS = text("""
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type, n.nspname = 'pg_catalog' AS is_builtin,
       t.typtype = 'e' OR n.nspname = 'pg_catalog' AND (t.typname = 'varchar' OR EXISTS (
           SELECT FROM pg_opclass o JOIN pg_am m ON m.oid = o.opcmethod
           WHERE m.amname = 'btree' AND o.opcdefault AND o.opcintype = t.oid)) AS has_equality,
       NOT coalesce(c.collisdeterministic, true) AS needs_bytes,
       CASE a.attgenerated WHEN 'v' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(:table) AND a.attnum > 0 AND NOT a.attisdropped
""")

_TRIGGERS = text("""
SELECT g.tgrelid, g.tgname, g.tgenabled, g.oid || ' ' || g.xmin AS mark
FROM pg_trigger g WHERE g.tgrelid = ANY(:relations) AND g.tgfoid = to_regproc(:function)
""")

_SOURCE = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc(:function)")


class PostgreSQLCapture(Capture):
    """Capture in a PostgreSQL database."""

    @cached_property
    def schema(self) -> str:
        """The schema of the journal, where the functions are, too."""
        return quoted(self.connection.execute(_SCHEMA).scalar_one())

    @cached_property
    def wake(self) -> str:
        return wake_statement(self.connection)

    def prepare(self) -> Iterator[str]:
        # One installs after the other.
        self._run("LOCK TABLE afterwork_watch IN SHARE ROW EXCLUSIVE MODE")
        name = self.connection.execute(_SCHEMA).scalar_one()
        may_use, may_insert = self.connection.execute(_OPEN, {"schema": name}).one()
        if not may_use:
            self._run(f"GRANT USAGE ON SCHEMA {self.schema} TO PUBLIC")
            yield f"use of schema {name} granted to all, who write into its journal"
        if not may_insert:
            self._run(f"GRANT INSERT ON {self.schema}.afterwork_journal TO PUBLIC")
            # Compressing costs writers more than a few pages.
            self._run(
                f"ALTER TABLE {self.schema}.afterwork_journal"
                " ALTER old SET STORAGE EXTERNAL, ALTER new SET STORAGE EXTERNAL"
            )
            yield "journal opened to all who write"

    def columns(self, table: Table) -> Sequence[str] | None:
        if not self._relations(table):
            return None
        return [column.name for column in self._columns(table)]

    def definition(self, watched: Watched, table: Table, columns: Sequence[str]) -> str:
        found = {column.name: column for column in self._columns(table)}
        return _Source(self, watched, table, [found[name] for name in columns]).function()

    def present(self, watched: Watched, table: Table) -> Present:
        relations = self._relations(table)
        name = self._function(watched)
        rows = self.connection.execute(_TRIGGERS, {"relations": [r.oid for r in relations], "function": name})
        triggers = {(row.tgrelid, row.tgname): row for row in rows}
        faults: list[str] = []
        marks: dict[str, str] = {}
        for relation in relations:
            for event in EVENTS:
                trigger = triggers.get((relation.oid, _trigger(event)))
                title = f"trigger {_trigger(event)} of {relation.name}"
                if trigger is None:
                    faults.append(f"{title} is missing")
                    continue
                marks[title] = trigger.mark
                if trigger.tgenabled == "D":
                    faults.append(f"{title} is switched off")
                elif trigger.tgenabled != "A":
                    faults.append(f"{title} is not on always")
        source = self.connection.execute(_SOURCE, {"function": name}).scalar()
        if source is None:
            faults.append(f"function {name} is missing")
        return Present(source or "", marks, tuple(faults))

    def make(self, plan: Plan, table: Table) -> None:
        name = self._function(plan.watched)
        if plan.present.definition != plan.definition:
            body = f"$afterwork${plan.definition}$afterwork$"
            self._run(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS {body}")
        if plan.present.faults or plan.watched.remembered is None:
            for relation in self._relations(table):
                for event, how in EVENTS.items():
                    trigger = _trigger(event)
                    self._run(f"DROP TRIGGER IF EXISTS {trigger} ON {relation.quoted}")
                    self._run(
                        f"CREATE TRIGGER {trigger} AFTER {how.format(table=relation.quoted)}"
                        f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
                    )
                    # Also for what replication and restoring write.
                    self._run(f"ALTER TABLE {relation.quoted} ENABLE ALWAYS TRIGGER {trigger}")

    def drop(self, watched: Watched) -> bool:
        name = self._function(watched)
        if self.connection.execute(_SOURCE, {"function": name}).scalar() is None:
            return False
        # With the triggers, whatever the name of their table is now.
        self._run(f"DROP FUNCTION {name}() CASCADE")
        return True

    def _function(self, watched: Watched) -> str:
        return f"{self.schema}.afterwork_capture_{watched.id}"

    def _relations(self, table: Table) -> Sequence[Row[tuple[int, str, str, str]]]:
        """The table and its partitions."""
        return self.connection.execute(_RELATIONS, {"table": _full_name(table)}).all()

    def _columns(self, table: Table) -> "list[_Column]":
        rows = self.connection.execute(_COLUMNS, {"table": _full_name(table)}).mappings()
        return [_Column(**row) for row in rows]

    def _run(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement.replace("%", "%%"))


def _full_name(table: Table) -> str:
    return ".".join(quoted(name) for name in (table.schema, table.name) if name)


def _trigger(event: str) -> str:
    return f"afterwork_{event}"


@dataclass(frozen=True)
class _Column:
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
class _Source:
    """The body of the function of one table, in which the columns are c0, c1 and so on."""

    capture: PostgreSQLCapture
    watched: Watched
    table: Table
    columns: list[_Column]

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
    END IF;{self.capture.wake}    RETURN NULL;
END """

    def _in_parts(self, source: str, *inserts: "_Insert") -> str:
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

    def _one(self, kind: str) -> "_Insert":
        rows = self._rows("afterwork_new" if kind == "i" else "afterwork_old")
        image = f"ARRAY[{self._image('c')}]"
        both = (
            f"NULL::text[] AS before, {image} AS after" if kind == "i" else f"{image} AS before, NULL::text[] AS after"
        )
        return _Insert(self, kind, f"SELECT {both} FROM {rows} AS r")

    def _update(self) -> list["_Insert"]:
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
            _Insert(
                self,
                "u",
                f"SELECT ARRAY[{before}] AS before, ARRAY[{after}] AS after FROM ({pair}) AS pair"
                " WHERE changed IS DISTINCT FROM 0",
            )
        ]

    def _update_without_key(self) -> list["_Insert"]:
        """Rows that can't be told apart: those that are no more, and those that are new."""
        old, new = (self._rows(f"afterwork_{side}", compared=True) for side in ("old", "new"))
        image = f"ARRAY[{self._image('c')}]"
        less = "(SELECT * FROM {} AS a EXCEPT ALL SELECT * FROM {} AS b) AS r"
        gone = f"SELECT {image} AS before, NULL::text[] AS after FROM {less.format(old, new)}"
        come = f"SELECT NULL::text[] AS before, {image} AS after FROM {less.format(new, old)}"
        return [_Insert(self, "d", gone), _Insert(self, "i", come)]

    @cached_property
    def _key(self) -> list[str]:
        key = [column.name for column in self.table.primary_key.columns]
        return key if set(key) <= {column.name for column in self.columns} else []

    @cached_property
    def into(self) -> str:
        columns = "tx, moment, watch, kind, key, key_text, columns, old, new"
        return f"INSERT INTO {self.capture.schema}.afterwork_journal ({columns})"

    @cached_property
    def key_place(self) -> int:
        """Where the key is in an image."""
        is_number = Watch(0, self.table, (), ()).has_number_key and bool(self._key)
        return self.watched.valued.index(self._key[0]) if is_number else -1

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
            value_sql(self.table.columns[name], f"{prefix}{places[name]}", self.capture.dialect)
            if name in places and name in self._valued_now
            else "NULL::text"
            for name in self.watched.valued
        ]
        if self.key_place < 0:
            references = [f"{prefix}{places[name]}" for name in self._key]
            key = key_sql(self.table, references, self.capture.dialect) if references else None
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

    @cached_property
    def _valued_now(self) -> set[str]:
        return {column.name for column in self.table.columns if is_valued(column, self.capture.dialect)}

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
class _Insert:
    """A statement that writes changes into the journal. `images` has the columns `before` and `after`."""

    source: _Source
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

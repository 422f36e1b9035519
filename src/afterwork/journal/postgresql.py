"""Capture on PostgreSQL: statement triggers, which see all rows of a statement at once.

The changes of a statement become one row of the journal (see `change.py`), or, of very many, a few. Names of
Afterwork's tables are written with their schema, since writers have search paths of their own. Columns have numbers
instead of names as soon as they are read, so that no name of a column can be taken for another thing.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

from sqlalchemy import Row, Table, text

from afterwork.journal.capture import Capture, Plan, Present, Watched
from afterwork.journal.postgresql_source import Column, Source
from afterwork.journal.values import quoted
from afterwork.store.sleep import wake_statement

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
        return Source(
            self.schema, self.wake, self.dialect, watched, table, [found[name] for name in columns]
        ).function()

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

    def _columns(self, table: Table) -> "list[Column]":
        rows = self.connection.execute(_COLUMNS, {"table": _full_name(table)}).mappings()
        return [Column(**row) for row in rows]

    def _run(self, statement: str) -> None:
        self.connection.exec_driver_sql(statement.replace("%", "%%"))


def _full_name(table: Table) -> str:
    return ".".join(quoted(name) for name in (table.schema, table.name) if name)


def _trigger(event: str) -> str:
    return f"afterwork_{event}"

"""Capture on PostgreSQL: statement triggers, which see all rows of a statement at once.

The changes of a statement become one row of the journal (see `change.py`), or a few if very many. Names of Afterwork's
tables are written with their schema, since writers have their own search paths. Columns get numbers instead of names as
soon as they are read, so that no column name can be mistaken for something else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Row, Table, text

from afterwork.store.journal.capture import Capture, CapturedTable, CapturePlan, Glance
from afterwork.store.journal.continuity import CatalogState
from afterwork.store.journal.text_forms import OTHER
from afterwork.store.journal.values import full_name, quoted
from afterwork.store.literal_sql import dollar_quoted, execute_literally
from afterwork.store.postgresql.capture_marks import (
    CAUTIOUS,
    GLANCE,
    REPLICATED,
    catalog_states,
    function_name,
    trigger_name,
)
from afterwork.store.postgresql.capture_rows import (
    EXACT,
    TYPE_OF,
    CapturedColumn,
    TransitionRows,
    type_of,
    type_of_function,
)
from afterwork.store.postgresql.capture_text import TriggerFunction
from afterwork.store.postgresql.row_pairs import pairing_of
from afterwork.store.postgresql.wake_trigger import AS_OWNER, wake_statement

ROWS = {
    "insert": "REFERENCING NEW TABLE AS afterwork_new",
    "update": "REFERENCING OLD TABLE AS afterwork_old NEW TABLE AS afterwork_new",
    "delete": "REFERENCING OLD TABLE AS afterwork_old",
    "truncate": "",
}
"""The rows that each statement trigger asks for."""

AS_ALWAYS = (
    " SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex'"
    " SET timezone = 'UTC' SET lc_monetary = 'C'"
)
"""Settings for writing values as texts, whatever a writer has set. They cost a little, so only tables that need
them get them."""

_HOME = text(
    "SELECT nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.oid = to_regclass('afterwork_journal')"
)

_COMPRESSED = text(
    "SELECT 1 FROM pg_attribute WHERE attrelid = to_regclass('afterwork_journal')"
    " AND attname IN ('old', 'new') AND attstorage <> 'e'"
)

_HAS_TYPE_OF = text("SELECT to_regprocedure(:function)::text")

# Capture that an older Afterwork installed, perhaps for another application, writes with the writer's rights.
_OPEN = text("""
SELECT has_table_privilege('public', j.oid, 'INSERT') AND NOT EXISTS (
    SELECT FROM pg_proc p WHERE p.pronamespace = j.relnamespace AND p.proname ~ '^afterwork_capture_[0-9]'
        AND NOT p.prosecdef)
FROM pg_class j WHERE j.oid = to_regclass('afterwork_journal')
""")

# A part is written directly as well as through the whole, and the whole's triggers don't fire then.
_RELATIONS = text("""
WITH RECURSIVE found (oid) AS (
    SELECT to_regclass(:table)::oid UNION SELECT i.inhrelid FROM found JOIN pg_inherits i ON i.inhparent = found.oid
)
SELECT c.oid, format('%I.%I', n.nspname, c.relname) AS quoted,
       EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = c.oid) AS is_subscribed,
       EXISTS (
           WITH RECURSIVE below (oid) AS (
               SELECT c.oid UNION SELECT i.inhrelid FROM below JOIN pg_inherits i ON i.inhparent = below.oid
           ) SELECT FROM below JOIN pg_class p ON p.oid = below.oid WHERE p.relkind = 'f'
       ) AS has_foreign_part
FROM found JOIN pg_class c ON c.oid = found.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' ORDER BY c.oid
""")

# The type behind domains is that of the values. Types from other schemas have no equality, or one that a writer with
# another search path doesn't find.
_COLUMNS = text("""
WITH RECURSIVE typed (number, type) AS (
    SELECT a.attnum, a.atttypid FROM pg_attribute a
    WHERE a.attrelid = to_regclass(:table) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT number, t.typbasetype FROM typed JOIN pg_type t ON t.oid = typed.type WHERE t.typtype = 'd'
)
SELECT a.attname AS name, b.oid::int8 AS type, CASE b.typnamespace WHEN 'pg_catalog'::regnamespace THEN b.typname::text
       END AS type_name, s.oid::int8 AS stand_in, format_type(s.oid, NULL) AS stand_in_name,
       b.typtype = 'e' OR s.oid = b.oid AND b.typname = ANY (:exact) AS is_exact,
       s.oid = b.oid AND b.typname IN ('text', 'varchar') AS is_text, b.typtype = 'e' AS is_enum,
       coalesce(c.collisdeterministic, true) AS is_plain,
       CASE a.attgenerated WHEN 'v' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression
FROM typed JOIN pg_type b ON b.oid = typed.type AND b.typtype <> 'd'
JOIN pg_type s ON s.oid = CASE b.typnamespace WHEN 'pg_catalog'::regnamespace THEN b.oid ELSE 'text'::regtype END
JOIN pg_attribute a ON a.attrelid = to_regclass(:table) AND a.attnum = typed.number
LEFT JOIN pg_collation c ON c.oid = a.attcollation
LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
ORDER BY a.attnum
""")

_CASCADES = text("""
SELECT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND conrelid = ANY(:relations)
               AND (confupdtype IN ('c', 'n', 'd') OR confdeltype = 'd'))
""")

_TRIGGERS = text("""
SELECT g.tgrelid AS relation, g.tgname AS name, g.tgrelid::regclass::text AS title
FROM pg_trigger g WHERE g.tgfoid IN (to_regproc(:function), to_regproc(:for_rows))
""")

_NOTE_RELATION = text("UPDATE afterwork_tracked_table SET relation = :table WHERE id = :table_id")

_FOUND_DEFINITION = text("SELECT prosrc FROM pg_proc WHERE oid = to_regproc(:function)")


@dataclass(frozen=True)
class WantedTrigger:
    """A trigger on a relation. `rest` is its CREATE statement behind the relation's name.

    It fires `when`: `ALWAYS`, also for writes by replication and restoring, or `REPLICA`, for these alone.
    """

    relation: Row[Any]
    name: str
    event: str
    rest: str
    when: str


class PostgreSQLCapture(Capture):
    @cached_property
    def home(self) -> str:
        """Return the name of the journal's schema, which also contains the functions."""
        return str(self.connection.execute(_HOME).scalar_one())

    @property
    def schema(self) -> str:
        """Return the quoted name of the journal's schema."""
        return quoted(self.home)

    @cached_property
    def wake(self) -> str:
        return wake_statement(self.connection)

    def prepare(self) -> Iterator[str]:
        if self.connection.execute(_COMPRESSED).first() is not None:
            # Compressing costs writers more than a few pages.
            self._run(
                f"ALTER TABLE {self.schema}.afterwork_journal"
                " ALTER old SET STORAGE EXTERNAL, ALTER new SET STORAGE EXTERNAL"
            )
            yield "journal keeps values as they are"
        if self.connection.execute(_HAS_TYPE_OF, {"function": type_of(self.schema, "anyelement")}).scalar() is None:
            for statement in type_of_function(self.schema):
                self._run(statement)
            yield f"function {TYPE_OF} created"

    def close(self) -> Iterator[str]:
        if self.connection.execute(_OPEN).scalar():
            self._run(f"REVOKE INSERT ON {self.schema}.afterwork_journal FROM PUBLIC")
            yield "journal closed to all but triggers, which write as their owner"

    def columns(self, table: Table) -> Sequence[str] | None:
        if not self._relations(table):
            return None
        return [column.name for column in self._columns(table)]

    def forms(self, table: Table) -> Mapping[str, str]:
        return {column.name: column.form for column in self._columns(table)}

    def definition(self, captured: CapturedTable, table: Table, columns: Sequence[str]) -> str:
        by_name = {column.name: column for column in self._columns(table)}
        rows = TransitionRows(self.dialect, captured, table, [by_name[name] for name in columns])
        pairing = pairing_of(rows, has_cascades=self._has_cascades(table))
        return TriggerFunction(self.schema, self.wake, rows, pairing).function()

    def found_definition(self, captured: CapturedTable, table: Table) -> str:
        return self.connection.execute(_FOUND_DEFINITION, {"function": self._function(captured)}).scalar() or ""

    def catalog_states(self) -> Mapping[int, CatalogState]:
        return catalog_states(self.connection)

    def glance(self) -> Glance:
        return Glance(*self.connection.execute(GLANCE).one())

    def lock(self, captured: CapturedTable, table: Table) -> None:
        # A trigger can be dropped only while nobody reads the table. Take the strongest lock at
        # once: upgrading a weaker one can deadlock with transactions that have read and now write.
        wanted = {(trigger.relation.oid, trigger.name) for trigger in self._wanted(captured, table)}
        needs_all = any((row.relation, row.name) not in wanted for row in self._triggers(captured))
        mode = "ACCESS EXCLUSIVE" if needs_all else "SHARE ROW EXCLUSIVE"
        self._run(f"LOCK TABLE {full_name(table)} IN {mode} MODE")

    def install(self, plan: CapturePlan) -> None:
        captured, table = plan.captured, plan.table
        self.connection.execute(_NOTE_RELATION, {"table_id": captured.id, "table": full_name(table)})
        wanted = self._wanted(captured, table)
        more = AS_ALWAYS if needs_settings(captured, table) else ""
        self._make_function(self._function(captured), plan.definition, more)
        if any(trigger.relation.is_subscribed for trigger in wanted):
            self._make_function(self._function(captured, row=True), for_rows(plan.definition), more)
        names = {(trigger.relation.oid, trigger.name) for trigger in wanted}
        for row in self._triggers(captured):
            if (row.relation, row.name) not in names:
                self._run(f"DROP TRIGGER {quoted(row.name)} ON {row.title}")
        for trigger in wanted:
            table_name, name = trigger.relation.quoted, quoted(trigger.name)
            self._run(f"CREATE OR REPLACE TRIGGER {name} AFTER {trigger.event.upper()} ON {table_name} {trigger.rest}")
            self._run(f"ALTER TABLE {table_name} ENABLE {trigger.when} TRIGGER {name}")

    def drop(self, captured: CapturedTable) -> None:
        # Along with the triggers, whatever their table's current name.
        for row in (False, True):
            self._run(f"DROP FUNCTION IF EXISTS {self._function(captured, row=row)} CASCADE")

    def mark_inspected(self, shown: Mapping[int, CatalogState]) -> Mapping[int, CatalogState]:
        return shown  # every new entry has its own number

    def _wanted(self, captured: CapturedTable, table: Table) -> list[WantedTrigger]:
        """Return the triggers for statements, and for the rows that subscriptions write, which fire no others."""
        function, for_row = self._function(captured), self._function(captured, row=True)
        triggers = []
        for relation in self._relations(table):
            for event, rows in ROWS.items():
                name = trigger_name(self.home, captured.id, event)
                call = f"{function}('{CAUTIOUS}')" if relation.has_foreign_part else f"{function}()"
                asked = "" if relation.has_foreign_part else rows
                rest = f"{asked} FOR EACH STATEMENT EXECUTE FUNCTION {call}"
                triggers.append(WantedTrigger(relation, name, event, rest, "ALWAYS"))
            for event in REPLICATED if relation.is_subscribed else ():
                name = trigger_name(self.home, captured.id, event, row=True)
                rest = f"FOR EACH ROW EXECUTE FUNCTION {for_row}()"
                triggers.append(WantedTrigger(relation, name, event, rest, "REPLICA"))
        return triggers

    def _triggers(self, captured: CapturedTable) -> Sequence[Row[Any]]:
        """Return all triggers that execute the functions of a captured table, on any relation."""
        functions = {"function": self._function(captured), "for_rows": self._function(captured, row=True)}
        return self.connection.execute(_TRIGGERS, functions).all()

    def _make_function(self, name: str, definition: str, more: str) -> None:
        body = dollar_quoted(definition)
        self._run(f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql {AS_OWNER}{more} AS {body}")
        self._run(f"REVOKE ALL ON FUNCTION {name}() FROM PUBLIC")

    def _function(self, captured: CapturedTable, *, row: bool = False) -> str:
        return f"{self.schema}.{function_name(captured.id, row=row)}"

    def _relations(self, table: Table) -> Sequence[Row[Any]]:
        """Return the table and its parts."""
        return self.connection.execute(_RELATIONS, {"table": full_name(table)}).all()

    def _columns(self, table: Table) -> "list[CapturedColumn]":
        rows = self.connection.execute(_COLUMNS, {"table": full_name(table), "exact": EXACT}).mappings()
        return [CapturedColumn(**row) for row in rows]

    def _has_cascades(self, table: Table) -> bool:
        """Return whether a change of other rows may change the columns that refer to them."""
        relations = [relation.oid for relation in self._relations(table)]
        return bool(self.connection.execute(_CASCADES, {"relations": relations}).scalar())

    def _run(self, statement: str) -> None:
        execute_literally(self.connection, statement)


def needs_settings(captured: CapturedTable, table: Table) -> bool:
    """Return whether the settings of a writer's session affect how a key is written."""
    forms = captured.forms or {}
    key = [forms[column.name] for column in table.primary_key.columns if column.name in forms]
    return any(form.name.startswith(OTHER) for form in key)


def for_rows(definition: str) -> str:
    """Return a statement trigger's function for a single row, which takes the place of the transition tables."""
    for side in ("new", "old"):
        definition = definition.replace(f"FROM afterwork_{side}", f"FROM (SELECT {side.upper()}.*) AS afterwork_{side}")
    return definition

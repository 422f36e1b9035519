"""The catalog state of captured tables on PostgreSQL, by one statement for all of them (see `continuity.py`)."""

import json
from collections.abc import Iterator, Mapping
from hashlib import md5

from sqlalchemy import Connection, text

from afterwork.store.journal.capture import LAST_RESTORE
from afterwork.store.journal.continuity import CatalogMark, CatalogState, Marks

EVENTS = ("insert", "update", "delete", "truncate")
"""The events of statement triggers."""

REPLICATED = ("insert", "update", "delete")
"""The events of row triggers that a subscription fires. It fires those for TRUNCATE like anybody else."""

ROW = "_row"
"""The suffix of the names of row triggers and their functions."""

CAUTIOUS = "without the rows"
"""The argument of triggers that learn only that something was written. A statement that also writes to a foreign table
can't collect its rows for a trigger: PostgreSQL would refuse it."""

LONGEST_HOME = 32
"""The number of bytes of a schema's name for which it fits into the name of a trigger."""

FOREIGN = "f"
"""The kind of a relation whose rows are on another server."""

ALWAYS, REPLICA, OFF = "A", "R", "D"
"""When a trigger fires, as the catalog encodes it."""


# A part is a partition or an INHERITS child, at any depth. One that is being detached no longer counts
# (`inhdetachpending`, which older versions lack). What a column holds are values of its type, and of all that this is
# made of, at any depth: elements, bounds, fields, and the type behind a domain. A generated column's expression is
# compared in the server's parsed form: as text, it would depend on the reader's search path.
_MARK = """
RECURSIVE home AS (
    SELECT j.oid, j.relnamespace FROM pg_class j WHERE j.oid = to_regclass('afterwork_journal')
), found (table_id, oid) AS (
    SELECT w.id, to_regclass(w.relation)::oid FROM afterwork_tracked_table w WHERE w.installed IS NOT NULL
    UNION
    SELECT found.table_id, i.inhrelid FROM found JOIN pg_inherits i ON i.inhparent = found.oid
    WHERE NOT coalesce((to_jsonb(i) ->> 'inhdetachpending')::bool, false)
), relation AS (
    SELECT w.id AS table_id, w.columns, c.oid, c.relkind, c.relfilenode, c.relpersistence,
        c.oid = to_regclass(w.relation) AS is_whole, format('%s.%s', n.nspname, c.relname) AS name,
        c.oid::regclass::text AS title
    FROM found JOIN afterwork_tracked_table w ON w.id = found.table_id JOIN pg_class c ON c.oid = found.oid
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relpersistence <> 't'
), above (table_id, oid) AS (
    SELECT r.table_id, i.inhparent FROM relation r JOIN pg_inherits i ON i.inhrelid = r.oid WHERE r.relkind = 'f'
    UNION SELECT above.table_id, i.inhparent FROM above JOIN pg_inherits i ON i.inhrelid = above.oid
), attribute AS (
    SELECT r.table_id, a.*, a.xmin::text AS written, to_jsonb(a)::text AS settings
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE r.is_whole AND a.attname = ANY (ARRAY(SELECT json_array_elements_text(r.columns::json)))
), held (table_id, type) AS (
    SELECT table_id, atttypid FROM attribute
    UNION
    SELECT held.table_id, within.type FROM held JOIN pg_type t ON t.oid = held.type, LATERAL (
        SELECT t.typelem AS type UNION ALL SELECT t.typbasetype
        UNION ALL SELECT f.atttypid FROM pg_attribute f WHERE f.attrelid = t.typrelid AND f.attnum > 0
        UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    ) AS within WHERE within.type <> 0
), function AS (
    SELECT w.id AS table_id, p.oid, p.proname::text, p.xmin::text AS written
    FROM home JOIN afterwork_tracked_table w ON w.installed IS NOT NULL
    JOIN pg_proc p ON p.pronamespace = home.relnamespace
        AND p.proname IN ('afterwork_capture_' || w.id, 'afterwork_capture_' || w.id || '_row')
), mark (table_id, kind, key, value, name) AS (
    SELECT w.id, 'journal', '', concat_ws(' ', j.attrelid, j.xmin), ''
    FROM home JOIN pg_attribute j ON j.attrelid = home.oid AND j.attnum = 1
    JOIN afterwork_tracked_table w ON w.installed IS NOT NULL
    UNION ALL SELECT table_id, 'table', '', concat_ws(' ', oid, relkind, name), title FROM relation WHERE is_whole
    UNION ALL SELECT table_id, 'part', oid::text, relkind::text, title FROM relation WHERE NOT is_whole
    UNION ALL SELECT table_id, 'rewrite', oid::text, relfilenode::text, title FROM relation WHERE relkind = 'r'
    UNION ALL SELECT table_id, 'unlogged', oid::text,
        extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time())::text, title FROM relation WHERE relpersistence = 'u'
    UNION ALL SELECT table_id, 'subscription', oid::text, '', title FROM relation
        WHERE EXISTS (SELECT FROM pg_subscription_rel s WHERE s.srrelid = relation.oid)
    UNION ALL SELECT table_id, 'column', a.attname::text, concat_ws(' ', a.attnum, a.atttypid, a.atttypmod,
        a.attcollation, nullif(a.attgenerated::text, ''),
        CASE WHEN a.attgenerated <> '' THEN md5(d.adbin::text) END), a.attname::text
        FROM attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT table_id, 'touch', attname::text, written, attname::text FROM attribute
    UNION ALL SELECT table_id, 'setting', attname::text, md5(concat_ws(' ', settings, d.oid, d.xmin)), attname::text
        FROM attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    UNION ALL SELECT held.table_id, 'label', e.oid::text, e.enumlabel::text, t.typname::text
        FROM held JOIN pg_type t ON t.oid = held.type JOIN pg_enum e ON e.enumtypid = t.oid
    UNION ALL SELECT held.table_id, 'field', concat_ws(' ', f.attrelid, f.attnum),
        concat_ws(' ', f.attname, f.atttypid, f.atttypmod, f.attisdropped), t.typname::text
        FROM held JOIN pg_type t ON t.oid = held.type AND t.typrelid <> 0
        JOIN pg_attribute f ON f.attrelid = t.typrelid AND f.attnum > 0
    UNION ALL SELECT table_id, 'function', proname, concat_ws(' ', oid, written), '' FROM function
    UNION ALL SELECT r.table_id, 'trigger', concat_ws(' ', g.tgrelid, g.tgname),
        concat_ws(' ', g.oid, g.xmin, g.tgenabled), concat(g.tgname, ' of ', r.title)
        FROM relation r JOIN pg_trigger g ON g.tgrelid = r.oid
        JOIN function f ON f.table_id = r.table_id AND f.oid = g.tgfoid
    UNION ALL SELECT table_id, 'above', oid::text, '', '' FROM above
    UNION ALL SELECT f.table_id, 'cautious', concat_ws(' ', g.tgrelid, g.tgname), '', ''
        FROM pg_trigger g JOIN function f ON f.oid = g.tgfoid WHERE g.tgnargs > 0
)"""

# The names are for people, and depend on the reader's settings.
_FINGERPRINT = (
    "md5(string_agg(concat_ws(' ', kind, key, value), E'\\n'"
    ' ORDER BY kind COLLATE "C", key COLLATE "C", value COLLATE "C"))'
)

_SHOWN = text(
    f"WITH {_MARK} SELECT table_id, (SELECT nspname FROM home JOIN pg_namespace n ON n.oid = relnamespace),"
    f" {_FINGERPRINT}, json_agg(json_build_array(kind, key, value, name)) FROM mark GROUP BY table_id"
)

CHANGED_TABLES = text(
    f"WITH {_MARK} SELECT w.id FROM afterwork_tracked_table w"
    f" LEFT JOIN (SELECT table_id, {_FINGERPRINT} AS found FROM mark GROUP BY table_id) m ON m.table_id = w.id"
    " WHERE w.installed IS NOT NULL AND w.fingerprint IS DISTINCT FROM m.found"
    " UNION ALL SELECT NULL FROM afterwork_committing"
)
"""The captured tables that have changed since their last inspection. A row without a number says that a transaction has
committed without the triggers that follow what it touches."""

GLANCE = text(f"SELECT EXISTS ({CHANGED_TABLES.text}), {LAST_RESTORE}")
"""The query for whether any captured table has changed, and for the last restore that was seen."""


def trigger_name(home: str, table_id: int, event: str, *, row: bool = False) -> str:
    """Return the name of a trigger. It contains the table's number, since a part may also be captured by itself.

    It also contains the journal's schema unless that is `public`, since other installations may capture the table.
    """
    name = f"afterwork_{table_id}_{event}{ROW if row else ''}"
    return name if home == "public" else f"{name}_{_fitting(home)}"


def _fitting(home: str) -> str:
    return home if len(home.encode()) <= LONGEST_HOME else md5(home.encode(), usedforsecurity=False).hexdigest()


def function_name(table_id: int, *, row: bool = False) -> str:
    """Return the name of the function that a table's triggers execute."""
    return f"afterwork_capture_{table_id}{ROW if row else ''}"


def catalog_states(connection: Connection) -> Mapping[int, CatalogState]:
    states = {}
    for table_id, home, fingerprint, rows in connection.execute(_SHOWN):
        marks: dict[str, dict[str, CatalogMark]] = {}
        for kind, key, value, name in json.loads(rows) if isinstance(rows, str) else rows:
            marks.setdefault(kind, {})[key] = CatalogMark(value, name)
        states[table_id] = CatalogState(
            marks, fingerprint, tuple(_faults(home, table_id, marks)), tuple(_limits(marks))
        )
    return states


def _faults(home: str, table_id: int, marks: Marks) -> Iterator[str]:
    triggers = marks.get("trigger", {})
    for oid, title, kind in _relations(marks):
        if kind == FOREIGN:
            continue
        wanted = [(trigger_name(home, table_id, event), ALWAYS) for event in EVENTS]
        if oid in marks.get("subscription", {}):
            wanted += [(trigger_name(home, table_id, event, row=True), REPLICA) for event in REPLICATED]
        for name, when in wanted:
            yield from _fault(f"trigger {name} of {title}", triggers.get(f"{oid} {name}"), when)
        if oid in marks.get("above", {}) and f"{oid} {wanted[0][0]}" not in marks.get("cautious", {}):
            yield f"statements that write to {title} fail, since one of its parts is a foreign table"


def _limits(marks: Marks) -> Iterator[str]:
    for _, title, kind in _relations(marks):
        if kind == FOREIGN:
            yield f"what others change in {title}, a foreign table, can't be captured"


def _relations(marks: Marks) -> Iterator[tuple[str, str, str]]:
    """Yield the table and its parts: number, name, and kind."""
    for whole in marks.get("table", {}).values():
        oid, kind, _ = whole.value.split(" ", 2)
        yield oid, whole.name, kind
    for oid, part in marks.get("part", {}).items():
        yield oid, part.name, part.value


def _fault(title: str, trigger: CatalogMark | None, wanted: str) -> Iterator[str]:
    if trigger is None:
        yield f"{title} is missing"
        return
    when = trigger.value[-1]
    if when == OFF:
        yield f"{title} is switched off"
    elif when != wanted:
        yield f"{title} is not on {'always' if wanted == ALWAYS else 'for replicas'}"

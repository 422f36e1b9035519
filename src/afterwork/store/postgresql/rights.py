"""The rights that PostgreSQL roles need: a serving one, and one that only writes. Neither has to own anything."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy import Sequence as Numbers
from sqlalchemy.exc import DBAPIError

from afterwork.errors import BadRequest, NotGranted, shown
from afterwork.model import column_types
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.model.machine.declaration import declared_machines
from afterwork.store import tables as own
from afterwork.store.journal import tables as journal
from afterwork.store.literal_sql import execute_literally

ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
CHANGE = ("INSERT", "UPDATE", "DELETE")


@dataclass(frozen=True)
class Need:
    """Privileges that a role needs on a table or one of its columns. Afterwork itself does without those marked
    `for_jobs`: only a job's code knows whether it needs them."""

    table: Table
    privileges: tuple[str, ...]
    column: str | None = None
    for_jobs: bool = False


@dataclass(frozen=True)
class Missing:
    """Privileges that a role lacks on one thing, which `on` names as GRANT does: `TABLE public.customer`."""

    role: str
    privileges: tuple[str, ...]
    on: str
    for_jobs: bool = False

    @property
    def what(self) -> str:
        """Return the description of all of it, without the role."""
        kind, name = self.on.split(" ", 1)
        return f"{', '.join(self.privileges)} on {kind.lower()} {name}"

    @property
    def is_to_read(self) -> bool:
        """Return whether nothing can be read there without it."""
        return "SELECT" in self.privileges or self.on.startswith("SCHEMA ")

    @property
    def grant(self) -> str:
        return f"GRANT {', '.join(self.privileges)} ON {self.on} TO {self.role}"


WAITING = Need(own.waiter, ("SELECT", "INSERT", "DELETE"))
"""The need of a role that waits for tickets to end."""


def of_servers(model: ModelInfo) -> Iterator[Need]:
    """Yield the needs of a role that serves a model. They are everything on Afterwork's tables and the tickets, reading
    what caches may read, writing what they calculate, and, for jobs, changing everything."""
    yield from (Need(table, ALL) for table in _own_tables())
    yield Need(model.contract.table, ALL)
    yield from (Need(table, ("SELECT",)) for table in model.tables)
    columns = [column for cache in model.derivations.values() if (column := _written_by(cache)) is not None]
    yield from (Need(column.table, ("UPDATE",), column.name) for column in columns)
    if model.works or len(columns) < len(model.derivations):
        yield from (Need(table, CHANGE, for_jobs=True) for table in model.tables)


def of_writers(model: ModelInfo) -> Iterator[Need]:
    """Yield what a role that asks for work and moves machines needs beside its rights on the application's tables. A
    role that only writes rows needs none of it: triggers write into the journal as their owner."""
    yield Need(own.lease, ("SELECT",))
    yield WAITING
    yield from (Need(table, ("SELECT", "INSERT", "DELETE")) for table in (own.flow, own.prerequisite))
    if any(declared_machines(mapper.class_) for mapper in model.classes.values()):
        yield from (Need(table, ("INSERT",)) for table in (own.transition, own.conflict))


def of_triggers() -> Iterator[Need]:
    """Yield the needs of the role that triggers run as: those without which everybody's writes fail."""
    noted = (journal.journal, journal.touch, journal.commit_touch, journal.committing)
    yield from (Need(table, ALL) for table in noted)


def of_values_at_commit(model: ModelInfo) -> Iterator[Need]:
    """Yield what the role that triggers run as needs to compute values at commit."""
    caches = [cache for cache in model.derivations.values() if isinstance(cache, MemberDerivation)]
    at_commit = [cache.column for cache in caches if cache.derived.is_at_commit]
    if at_commit:
        yield from (Need(table, ("SELECT",)) for table in model.tables)
    yield from (Need(column.table, ("UPDATE",), column.name) for column in at_commit)


def owners_of_triggers(connection: Connection) -> Sequence[str]:
    """Return the roles that triggers run as, which are those that have installed."""
    return connection.execute(_OWNERS).scalars().all()


def check_can_grant(dialect: str, roles: Sequence[str]) -> None:
    """Raise `BadRequest` where the database has no roles."""
    if roles and dialect != "postgresql":
        raise BadRequest(f"SQLite has no roles, so there is nothing to grant to {', '.join(roles)}. Leave it out.")


def grant(connection: Connection, role: str, needs: Iterable[Need]) -> Iterator[str]:
    """Grant a role what it lacks, within the open transaction. Yields a line for each grant.

    Raises `BadRequest` for an unknown role, and `NotGranted` for what only others can grant.
    """
    if connection.execute(_ROLE, {"role": role}).first() is None:
        raise BadRequest(f"There is no role {shown(role)}. Create it first: CREATE ROLE … LOGIN.")
    wanted = list(needs)
    for lack in missing(connection, role, wanted):
        try:
            with connection.begin_nested():
                execute_literally(connection, lack.grant)
        except DBAPIError:
            continue  # reported below, with all others
        yield f"{lack.what} granted to {lack.role}"
    left = missing(connection, role, wanted)
    if left:
        raise NotGranted(role, [lack.grant for lack in left])


def missing(connection: Connection, role: str | None, needs: Iterable[Need]) -> list[Missing]:
    """Return what a role (or, without one, the current one) lacks. Reads only the catalogs, which everybody may."""
    wanted = list(needs)
    parameters = {"role": role, "type_schemas": _schemas_of_types(wanted), **asked(wanted)}
    lacks = connection.execute(_LACKS, parameters).all()
    by_thing = groupby(lacks, lambda row: (row.role, row.kind, row.name, row.for_jobs))
    return [
        Missing(who, tuple(row.privilege for row in rows), f"{kind} {name}", for_jobs)
        for (who, kind, name, for_jobs), rows in by_thing
    ]


def _written_by(cache: Derivation) -> Column[Any] | None:
    """Return the column that Afterwork itself writes for a cache; None where only a job knows."""
    match cache:
        case MemberDerivation() | MachineDerivation():
            return cache.column
    return None


def _own_tables() -> list[Table]:
    own_tables = own.metadata.sorted_tables
    return [table for table in own_tables if table.info.get("only", "postgresql") == "postgresql"]


def asked(needs: Iterable[Need]) -> dict[str, list[Any]]:
    """Return the needs as parallel columns, the parameters of `WANTED`."""
    rows = [row for need in needs for row in _rows(need)]
    names = ("schemas", "names", "privileges", "columns", "mapped", "jobs")
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _rows(need: Need) -> Iterator[tuple[str | None, str, str, str | None, str, bool]]:
    mapped = json.dumps([column.name for column in need.table.columns])
    for privilege in need.privileges:
        yield need.table.schema, need.table.name, privilege, need.column, mapped, need.for_jobs
    if "INSERT" in need.privileges:  # SQLAlchemy itself uses a sequence that the model names
        numbers = [column.default for column in need.table.columns if isinstance(column.default, Numbers)]
        yield from ((sequence.schema, sequence.name, "USAGE", None, "[]", need.for_jobs) for sequence in numbers)


def _schemas_of_types(needs: Iterable[Need]) -> list[str]:
    """Return the schemas that SQLAlchemy names in statements for the types of columns."""
    kinds = (kind for need in needs for column in need.table.columns for kind in column_types.kinds(column))
    elements = (getattr(kind, "item_type", kind) for kind in kinds)
    return sorted({schema for kind in elements if (schema := getattr(kind, "schema", None)) is not None})


_ROLE = text("SELECT 1 FROM pg_roles WHERE rolname = :role")

_OWNERS = text("""
SELECT DISTINCT r.rolname FROM pg_class j JOIN pg_proc p ON p.pronamespace = j.relnamespace AND p.prosecdef
JOIN pg_roles r ON r.oid = p.proowner
WHERE j.oid = to_regclass('afterwork_journal') AND p.proname ~ '^afterwork_(capture|commit|wake)' ORDER BY r.rolname
""")

# A name without a schema is resolved by the search path, but regardless of the current role's rights: to_regclass
# ignores schemas that it may not use.
WANTED = """
path AS (
    SELECT btrim(name, ' "') AS schema, place
    FROM unnest(string_to_array(replace(current_setting('search_path'), '"$user"', current_user), ','))
        WITH ORDINALITY AS p (name, place)
), meant AS (
    SELECT DISTINCT ON (w.name, w.schema) w.name, w.schema, c.oid, c.relkind, c.relrowsecurity, c.relowner,
        n.oid AS namespace, n.nspname, format('%I.%I', n.nspname, c.relname) AS quoted
    FROM unnest(CAST(:schemas AS text[]), CAST(:names AS text[])) AS w (schema, name)
    JOIN pg_class c ON c.relname = w.name AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN path ON path.schema = n.nspname
    WHERE n.nspname = w.schema OR w.schema IS NULL AND path.place IS NOT NULL
    ORDER BY w.name, w.schema, path.place
), wanted AS (
    SELECT DISTINCT w.privilege, w."column", w.mapped, w.for_jobs, m.oid, m.relkind, m.namespace, m.nspname, m.quoted
    FROM unnest(CAST(:schemas AS text[]), CAST(:names AS text[]), CAST(:privileges AS text[]), CAST(:columns AS text[]),
        CAST(:mapped AS text[]), CAST(:jobs AS bool[])) AS w (schema, name, privilege, "column", mapped, for_jobs)
    JOIN meant m ON m.name = w.name AND m.schema IS NOT DISTINCT FROM w.schema
)"""
"""The needs as SQL, each with its table or sequence."""

# A sequence that fills a column belongs to the table's INSERT; one of IDENTITY needs nothing. Each kind of object has
# its own function, which fails for others: hence CASE.
_LACKS = text(f"""
WITH {WANTED}, who AS (SELECT coalesce(CAST(:role AS text), current_user) AS role), named (schema) AS (
    SELECT unnest(CAST(:type_schemas AS text[]))
    UNION SELECT n.nspname FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = w."column"
    JOIN pg_type t ON t.oid = a.atttypid JOIN pg_namespace n ON n.oid = t.typnamespace
), lack AS (
    SELECT 0 AS place, 'DATABASE' AS kind, quote_ident(current_database()) AS name, 'CONNECT' AS privilege,
        false AS for_jobs
    FROM who WHERE NOT has_database_privilege(who.role, current_database(), 'CONNECT')
    UNION ALL SELECT DISTINCT 1, 'SCHEMA', quote_ident(w.nspname), 'USAGE', false
    FROM wanted w, who WHERE NOT has_schema_privilege(who.role, w.namespace, 'USAGE')
    UNION ALL SELECT 1, 'SCHEMA', quote_ident(n.nspname), 'USAGE', false
    FROM named JOIN pg_namespace n ON n.nspname = named.schema, who
    WHERE NOT has_schema_privilege(who.role, n.oid, 'USAGE')
    UNION ALL SELECT 2, 'TABLE', w.quoted, w.privilege, w.for_jobs
    FROM wanted w, who WHERE CASE WHEN w.relkind <> 'S' AND w."column" IS NULL
        THEN NOT has_table_privilege(who.role, w.oid, w.privilege) END
        AND CASE w.privilege WHEN 'DELETE' THEN true ELSE EXISTS (
            SELECT FROM pg_attribute a WHERE a.attrelid = w.oid AND a.attnum > 0
                AND a.attname = ANY (ARRAY(SELECT json_array_elements_text(w.mapped::json)))
                AND NOT has_column_privilege(who.role, w.oid, a.attnum, w.privilege)
        ) END
    UNION ALL SELECT 2, 'TABLE', w.quoted, format('%s (%I)', w.privilege, a.attname), w.for_jobs
    FROM wanted w JOIN pg_attribute a ON a.attrelid = w.oid AND a.attname = w."column", who
    WHERE NOT has_column_privilege(who.role, w.oid, a.attnum, w.privilege)
    UNION ALL SELECT DISTINCT 3, 'SEQUENCE', format('%I.%I', n.nspname, s.relname), 'USAGE', w.for_jobs
    FROM wanted w
    JOIN pg_attrdef d ON d.adrelid = w.oid AND w.privilege = 'INSERT'
    JOIN pg_depend p ON p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid AND p.refclassid = 'pg_class'::regclass
    JOIN pg_class s ON s.oid = p.refobjid JOIN pg_namespace n ON n.oid = s.relnamespace, who
    WHERE CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(who.role, s.oid, 'USAGE') END
    UNION ALL SELECT 3, 'SEQUENCE', w.quoted, 'USAGE', w.for_jobs
    FROM wanted w, who WHERE CASE WHEN w.relkind = 'S' THEN NOT has_sequence_privilege(who.role, w.oid, 'USAGE') END
    UNION ALL SELECT DISTINCT 4, 'FUNCTION', format('%I.%I(%s)', w.nspname, f.proname, oidvectortypes(f.proargtypes)),
        'EXECUTE', false
    FROM wanted w JOIN pg_proc f ON f.pronamespace = w.namespace AND f.proname = 'afterwork_readers', who
    WHERE w.quoted = format('%I.afterwork_cache', w.nspname) AND w.privilege = 'SELECT'
        AND NOT has_function_privilege(who.role, f.oid, 'EXECUTE')
)
SELECT quote_ident(who.role) AS role, kind, name, privilege, bool_and(for_jobs) AS for_jobs
FROM lack, who GROUP BY who.role, place, kind, name, privilege
ORDER BY place, name, bool_and(for_jobs),
    array_position(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'], privilege), privilege
""")

"""Row-level security: the tables of which it keeps rows from a role of PostgreSQL."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from afterwork.store.postgresql.rights import WANTED, Need, asked


@dataclass(frozen=True)
class Hiding:
    """A table of which row-level security may keep rows from a role, and the privileges that it restricts.

    `view` is the name of the view that reads it, if any; it then reads as this role. `for_jobs` is as in `Need`.
    """

    table: str
    role: str
    privileges: tuple[str, ...]
    for_jobs: bool
    view: str | None = None

    @property
    def is_to_read(self) -> bool:
        """Return whether the role may not even see all rows."""
        return "SELECT" in self.privileges

    @property
    def what(self) -> str:
        """Return the description of it."""
        if self.is_to_read:
            through = "" if self.view is None else f", as which view {self.view} reads"
            return f"row-level security hides rows of {self.table} from role {self.role}{through}"
        return f"row-level security keeps role {self.role} from {', '.join(self.privileges)} on rows of {self.table}"


def hidings(connection: Connection, needs: Iterable[Need], role: str | None = None) -> list[Hiding]:
    """Return where row-level security may get in the way of these needs of a role.

    Without one, of the current one. What the owners of its views can't see counts, too.
    """
    rows = connection.execute(_HIDINGS, {"role": role, **asked(needs)}).all()
    return [Hiding(row.name, row.role, tuple(row.privileges), row.for_jobs, row.view) for row in rows]


# A policy for all rows hides none. UPDATE finds rows by one expression, and checks what it has made of them by another.
# A view reads as its owner, or as who reads it; a materialized view always as its owner.
_HIDINGS = text(f"""
WITH RECURSIVE {WANTED}, looked_at (oid, role, privilege, for_jobs, view) AS (
    SELECT w.oid, r.oid, w.privilege, w.for_jobs, CAST(NULL AS text) COLLATE "C" FROM wanted w
    JOIN pg_roles r ON r.rolname = coalesce(CAST(:role AS text), current_user)
    UNION
    SELECT d.refobjid, CASE WHEN o.as_reader THEN l.role ELSE v.relowner END, l.privilege, l.for_jobs,
        CASE WHEN o.as_reader THEN l.view ELSE format('%I.%I', n.nspname, v.relname) END
    FROM looked_at l JOIN pg_class v ON v.oid = l.oid AND v.relkind IN ('v', 'm') AND l.privilege = 'SELECT'
    JOIN pg_namespace n ON n.oid = v.relnamespace JOIN pg_rewrite w ON w.ev_class = v.oid
    JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_options_to_table(v.reloptions)
        WHERE option_name = 'security_invoker' AND option_value::bool)) AS o (as_reader) ON true
    JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
), policy AS (
    SELECT format('%I.%I', p.schemaname, p.tablename) AS name, p.permissive = 'PERMISSIVE' AS is_permissive, p.cmd,
        p.roles, side.is_check,
        coalesce(CASE WHEN side.is_check THEN p.with_check END, p.qual, 'true') = 'true' AS is_for_all
    FROM pg_policies p, (VALUES (false), (true)) AS side (is_check)
), restricted AS (
    SELECT t.name, r.rolname, l.view, l.privilege, l.for_jobs FROM looked_at l
    JOIN pg_class c ON c.oid = l.oid AND c.relkind IN ('r', 'p') AND c.relrowsecurity
    JOIN pg_namespace n ON n.oid = c.relnamespace, format('%I.%I', n.nspname, c.relname) AS t (name)
    JOIN pg_roles r ON NOT r.rolsuper AND NOT r.rolbypassrls
    JOIN (VALUES ('SELECT', false), ('INSERT', true), ('UPDATE', false), ('UPDATE', true), ('DELETE', false))
        AS side (privilege, is_check) ON true
    LEFT JOIN policy p ON p.name = t.name AND p.cmd IN ('ALL', side.privilege) AND p.is_check = side.is_check
        AND EXISTS (SELECT FROM unnest(p.roles) o (name) WHERE o.name = 'public' OR pg_has_role(r.oid, o.name, 'USAGE'))
    WHERE r.oid = l.role AND side.privilege = l.privilege
        AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))
    GROUP BY t.name, r.rolname, l.view, l.privilege, l.for_jobs, side.is_check
    HAVING NOT coalesce(bool_or(p.is_for_all) FILTER (WHERE p.is_permissive), false)
        OR coalesce(bool_or(NOT p.is_for_all) FILTER (WHERE NOT p.is_permissive), false)
)
SELECT name, quote_ident(rolname) AS role, view, bool_and(for_jobs) AS for_jobs, array_agg(DISTINCT privilege
    ORDER BY privilege) AS privileges
FROM restricted r
WHERE NOT for_jobs OR NOT EXISTS (SELECT FROM restricted o
    WHERE (o.name, o.rolname) = (r.name, r.rolname) AND o.view IS NOT DISTINCT FROM r.view AND NOT o.for_jobs)
GROUP BY name, rolname, view ORDER BY name, rolname, view NULLS FIRST
""")

"""Row-level security: the tables of which it keeps rows from the current role of PostgreSQL."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, text

from afterwork.store.postgresql.rights import WANTED, Need, asked


@dataclass(frozen=True)
class Hiding:
    """A table of which row-level security may keep rows from a role, and the privileges that it restricts.

    `for_jobs` is as in `Need`.
    """

    table: str
    role: str
    privileges: tuple[str, ...]
    for_jobs: bool

    @property
    def is_to_read(self) -> bool:
        """Return whether the role may not even see all rows."""
        return "SELECT" in self.privileges

    @property
    def what(self) -> str:
        """Return the description of it."""
        if self.is_to_read:
            return f"row-level security hides rows of {self.table} from role {self.role}"
        return f"row-level security keeps role {self.role} from {', '.join(self.privileges)} on rows of {self.table}"


def hidings(connection: Connection, needs: Iterable[Need]) -> list[Hiding]:
    """Return where row-level security may get in the way of these needs of the current role."""
    rows = connection.execute(_HIDINGS, asked(needs)).all()
    return [Hiding(row.name, row.role, tuple(row.privileges), row.for_jobs) for row in rows]


# A policy for all rows hides none. UPDATE finds rows by one expression, and checks what it has made of them by another.
_HIDINGS = text(f"""
WITH {WANTED}, policy AS (
    SELECT format('%I.%I', p.schemaname, p.tablename) AS name, p.permissive = 'PERMISSIVE' AS is_permissive, p.cmd,
        side.is_check, coalesce(CASE WHEN side.is_check THEN p.with_check END, p.qual, 'true') = 'true' AS is_for_all
    FROM pg_policies p, (VALUES (false), (true)) AS side (is_check)
    WHERE EXISTS (
        SELECT FROM unnest(p.roles) r (name)
        WHERE r.name = 'public' OR pg_has_role(current_user, r.name, 'USAGE'))
), restricted AS (
    SELECT DISTINCT w.quoted, w.privilege, w.for_jobs FROM wanted w
    JOIN (VALUES ('SELECT', false), ('INSERT', true), ('UPDATE', false), ('UPDATE', true), ('DELETE', false))
        AS side (privilege, is_check) ON side.privilege = w.privilege
    WHERE CASE WHEN w.relkind IN ('r', 'p') THEN row_security_active(w.oid) END AND (
        NOT EXISTS (SELECT FROM policy p WHERE p.name = w.quoted AND p.cmd IN ('ALL', w.privilege)
            AND p.is_check = side.is_check AND p.is_permissive AND p.is_for_all)
        OR EXISTS (SELECT FROM policy p WHERE p.name = w.quoted AND p.cmd IN ('ALL', w.privilege)
            AND p.is_check = side.is_check AND NOT p.is_permissive AND NOT p.is_for_all))
)
SELECT quoted AS name, quote_ident(current_user) AS role, bool_and(for_jobs) AS for_jobs, array_agg(DISTINCT privilege
    ORDER BY privilege) AS privileges
FROM restricted r
WHERE NOT for_jobs OR NOT EXISTS (SELECT FROM restricted o WHERE o.quoted = r.quoted AND NOT o.for_jobs)
GROUP BY quoted ORDER BY quoted
""")

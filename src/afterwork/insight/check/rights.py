"""Check that the current role has the rights of a server and sees all rows."""

from collections.abc import Iterator

from afterwork.insight.check.finding import CheckContext, Finding
from afterwork.store.postgresql import rights

FOR_JOBS = "A job that writes there will fail. If one does: {}"
SEE_ALL = (
    "Hidden rows count as missing: values become wrong, and tickets stay. Let it see all rows: ALTER ROLE "
    "{role} BYPASSRLS; or: CREATE POLICY afterwork ON {table} TO {role} USING (true) WITH CHECK (true)."
)


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield what the role lacks, with the statement that gives it."""
    if scene.database.dialect != "postgresql":
        return
    missing = rights.missing(scene.connection, None, rights.of_servers(scene.model))
    for lack in missing:
        advice = f"Run: {lack.grant}. All at once: afterwork install MODULE:APP --database URL --grant-to {lack.role}"
        advice = FOR_JOBS.format(lack.grant) if lack.for_jobs else advice
        yield Finding(f"role {lack.role} lacks {lack.what}", False, advice, is_note=lack.for_jobs)
    for table, role in rights.hidden(scene.connection, rights.tables_of(scene.model)):
        advice = SEE_ALL.format(role=role, table=table)
        yield Finding(f"row-level security hides rows of {table} from role {role}", False, advice)
    if not any(not lack.for_jobs for lack in missing):
        yield Finding("the current role has all rights of a server", True)


def may_look(scene: CheckContext) -> bool:
    """Return whether the role may read all that is looked at from here on."""
    if scene.database.dialect != "postgresql":
        return True
    lacks = rights.missing(scene.connection, None, rights.of_servers(scene.model))
    return not any(lack.is_to_read for lack in lacks)

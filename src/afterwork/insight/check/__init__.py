"""Checks of an installation, each with advice. One file for each topic."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from afterwork.insight.check import changes, indexes, jobs, postgresql, servers, sqlite, tables
from afterwork.insight.check.finding import DEFAULT_LIMITS, CheckContext, CheckLimits, Finding
from afterwork.store import schema
from afterwork.store.tables import SCHEMA_VERSION

__all__ = ["DEFAULT_LIMITS", "CheckContext", "CheckLimits", "Finding", "findings", "to_install"]

Looks = Sequence[tuple[str, Callable[[CheckContext], Iterator[Finding]]]]
"""Checks, each with its topic."""

ANYWHERE: Looks = [("tables", tables.look)]
"""Checks that work in any database."""

ON_POSTGRESQL: Looks = [("database", postgresql.look_at_settings), ("connections", postgresql.look_at_connections)]

INSTALLED: Looks = [
    ("capture", changes.look_at_capture),
    ("indexes", indexes.look),
    ("jobs", jobs.look),
    ("once", jobs.look_at_once),
    ("servers", servers.look),
    ("clocks", servers.look_at_clocks),
    ("lanes", servers.look_at_lanes),
    ("journal", changes.look_at_journal),
]
"""Checks that need Afterwork's own tables of this version."""

INSTALLED_ON_POSTGRESQL: Looks = [
    ("transactions", postgresql.look_at_transactions),
    ("vacuum", postgresql.look_at_vacuum),
]


def findings(scene: CheckContext) -> Iterator[Finding]:
    is_postgresql = scene.database.dialect == "postgresql"
    if is_postgresql:
        yield from _of(scene, [("rights", postgresql.look_at_rights)])
        if not postgresql.may_look(scene):
            return
    yield from _of(scene, [*ANYWHERE, *(ON_POSTGRESQL if is_postgresql else ())])
    if schema.version(scene.connection) == SCHEMA_VERSION and tables.has_tickets(scene):
        file = [] if is_postgresql else [("database", sqlite.look)]
        yield from _of(scene, [*file, *INSTALLED, *(INSTALLED_ON_POSTGRESQL if is_postgresql else ())])


def to_install(scene: CheckContext) -> list[Finding]:
    """Return the faults that installing again would mend, or will once a migration has brought what is missing."""
    findings_of_both = list(tables.look(scene))
    if schema.version(scene.connection) == SCHEMA_VERSION and tables.has_tickets(scene):
        findings_of_both += changes.look_at_capture(scene)
    return [finding for finding in findings_of_both if finding.is_fault and finding.advice != changes.NOT_CAPTURED]


def _of(scene: CheckContext, looks: Looks) -> Iterator[Finding]:
    for topic, look in looks:
        for finding in look(scene):
            yield replace(finding, topic=topic, advice="" if finding.right else finding.advice)

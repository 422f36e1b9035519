"""Checks of an installation, each with advice. One file for each topic."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from afterwork.insight.check import (
    capture,
    clocks,
    connections,
    indexes,
    jobs,
    journal,
    rights,
    serving,
    sqlite,
    tables,
    transactions,
    vacuum,
)
from afterwork.insight.check import settings as database_settings
from afterwork.insight.check.finding import DEFAULT_LIMITS, CheckContext, CheckLimits, Finding
from afterwork.store import schema
from afterwork.store.tables import SCHEMA_VERSION

__all__ = ["DEFAULT_LIMITS", "CheckContext", "CheckLimits", "Finding", "findings"]

Look = Callable[[CheckContext], Iterator[Finding]]

BEFORE: tuple[tuple[str, Look], ...] = (
    ("tables", tables.look),
    ("database", database_settings.look),
    ("connections", connections.look),
)
"""Checks that work in any database."""

INSTALLED: tuple[tuple[str, Look], ...] = (
    ("database", sqlite.look),
    ("capture", capture.look),
    ("indexes", indexes.look),
    ("jobs", jobs.look),
    ("servers", clocks.look),
    ("servers", serving.look),
    ("journal", journal.look),
    ("transactions", transactions.look),
    ("vacuum", vacuum.look),
)
"""Checks that need Afterwork's own tables of this version."""


def findings(scene: CheckContext) -> Iterator[Finding]:
    """Yield all findings by topic."""
    yield from _of(scene, (("rights", rights.look),))
    if not rights.may_look(scene):
        return
    yield from _of(scene, BEFORE)
    if schema.version(scene.connection) == SCHEMA_VERSION and tables.has_tickets(scene):
        yield from _of(scene, INSTALLED)


def _of(scene: CheckContext, looks: tuple[tuple[str, Look], ...]) -> Iterator[Finding]:
    for topic, look in looks:
        for finding in look(scene):
            yield replace(finding, topic=topic, advice="" if finding.right else finding.advice)

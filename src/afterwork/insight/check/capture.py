"""Checks that every change to tracked tables is captured."""

from collections.abc import Iterator

from afterwork.derived.capture.problems import problems
from afterwork.insight.check.finding import INSTALL, CheckContext, Finding


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the problems of the triggers that capture changes."""
    if not scene.model.derivations:
        return
    faults = problems(scene.connection, scene.model.contract.table.fullname, scene.model.tables)
    for problem in faults:
        yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
    if not faults:
        yield Finding(f"capture on {len(scene.model.tables)} tables", True, INSTALL)

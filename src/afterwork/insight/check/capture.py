"""Whether every change of what caches may read is noticed."""

from collections.abc import Iterator

from afterwork.derived.capture.problems import problems
from afterwork.insight.check.finding import INSTALL, CheckContext, Finding


def look(scene: CheckContext) -> Iterator[Finding]:
    """The triggers that write changes down."""
    if not scene.model.derivations:
        return
    found = problems(scene.connection, scene.model.contract.table.fullname, scene.model.tables)
    for problem in found:
        yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
    if not found:
        yield Finding(f"capture on {len(scene.model.tables)} tables", True, INSTALL)

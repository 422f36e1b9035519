"""Whether every change of what caches may read is noticed."""

from collections.abc import Iterator

from afterwork.insight.check.finding import INSTALL, Finding, Scene
from afterwork.journal import capture


def look(scene: Scene) -> Iterator[Finding]:
    """The triggers that write changes down."""
    if not scene.model.caches:
        return
    problems = capture.problems(scene.database, scene.connection, scene.model.tables)
    for problem in problems:
        yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
    if not problems:
        yield Finding(f"capture on {len(scene.model.tables)} tables", True, INSTALL)

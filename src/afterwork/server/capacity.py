"""Capacity: how many assignments one server has at a time, and which kinds of work have none left.

Each kind of work may always have one worker of its own. A worker that has been with one run for long is replaced, up to
a maximum; beyond that, a kind of work can be stuck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from afterwork.jobs.source import Assignment, AssignmentKind
from afterwork.settings import MAX_REPLACED_PER_WORKER

SHORT_RUN_SECONDS = 1.0
"""A run may take this long while another of its kind waits. After that, it no longer occupies its kind's
reserved worker."""

SHARING_KINDS: Sequence[AssignmentKind] = ("short", "long")
"""Kinds of work that share the workers."""


@dataclass(frozen=True)
class Capacity:
    """The capacity of one server. `workers` short and long assignments run at a time. After `limit` seconds with one
    run, an assignment is held up. `now` is a reading of a monotonic clock."""

    workers: int
    limit: float

    def has_room(self, assignments: Sequence[Assignment], kind: AssignmentKind, now: float) -> bool:
        """Return whether a worker is left for a kind of work beside these assignments."""
        replaced = self._replaced(assignments, now)
        busy = [assignment.kind for assignment in assignments if assignment not in replaced]
        if kind not in busy:
            return True  # its own
        return kind in SHARING_KINDS and sum(map(busy.count, SHARING_KINDS)) < self.workers

    def _replaced(self, assignments: Sequence[Assignment], now: float) -> Sequence[Assignment]:
        """Return the assignments whose workers are replaced: those held up longest, up to a maximum."""
        held_up = [assignment for assignment in assignments if now - assignment.since >= self.patience(assignment)]
        return sorted(held_up, key=lambda assignment: assignment.since)[: MAX_REPLACED_PER_WORKER * self.workers]

    def patience(self, assignment: Assignment) -> float:
        """Return the seconds with one run after which the worker of an assignment may be replaced."""
        return self.limit if assignment.kind == "long" else min(SHORT_RUN_SECONDS, self.limit)

    def held_up(self, assignments: Sequence[Assignment], now: float) -> list[Assignment]:
        """Return the assignments that have been with one run for longer than the limit."""
        return [assignment for assignment in assignments if now - assignment.since >= self.limit]

    def stuck(self, assignments: Sequence[Assignment], now: float) -> Mapping[AssignmentKind, Sequence[Assignment]]:
        """Return the kinds of work that are stuck, each with its assignments that are held up.

        No worker would be left for them even if all other assignments ended."""
        held_up = self.held_up(assignments, now)
        kinds = dict.fromkeys(assignment.kind for assignment in held_up)
        return {
            kind: [assignment for assignment in held_up if assignment.kind == kind]
            for kind in kinds
            if not self.has_room(held_up, kind, now)
        }

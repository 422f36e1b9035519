"""Capacity: how many turns one server has at a time, and which kinds of work have none left.

Each kind of work may always have one worker of its own. A worker that has been with one run for long is replaced, up to
a maximum; beyond that, a kind of work can be stuck.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from afterwork.jobs.source import Assignment, Kind
from afterwork.settings import MAX_REPLACED_PER_WORKER

SHORT_RUN_SECONDS = 1.0
"""A run may take this long while another of its kind waits. After that, it no longer occupies its kind's
reserved worker."""

SHARING_KINDS: Sequence[Kind] = ("short", "long")
"""Kinds of work that share the workers."""


@dataclass(frozen=True)
class Capacity:
    """The capacity of one server. `workers` short and long turns run at a time. After `limit` seconds with one run, a
    turn is held up. `now` is a reading of a monotonic clock."""

    workers: int
    limit: float

    def has_room(self, turns: Sequence[Assignment], kind: Kind, now: float) -> bool:
        """Return whether a worker is left for a kind of work beside these turns."""
        replaced = self._replaced(turns, now)
        busy = [turn.kind for turn in turns if turn not in replaced]
        if kind not in busy:
            return True  # its own
        return kind in SHARING_KINDS and sum(map(busy.count, SHARING_KINDS)) < self.workers

    def _replaced(self, turns: Sequence[Assignment], now: float) -> Sequence[Assignment]:
        """Return the turns whose workers are replaced: those held up longest, up to a maximum."""
        held_up = [turn for turn in turns if now - turn.since >= self.patience(turn)]
        return sorted(held_up, key=lambda turn: turn.since)[: MAX_REPLACED_PER_WORKER * self.workers]

    def patience(self, turn: Assignment) -> float:
        """Return the seconds with one run after which the worker of a turn may be replaced."""
        return self.limit if turn.kind == "long" else min(SHORT_RUN_SECONDS, self.limit)

    def held_up(self, turns: Sequence[Assignment], now: float) -> list[Assignment]:
        """Return the turns that have been with one run for longer than the limit."""
        return [turn for turn in turns if now - turn.since >= self.limit]

    def stuck(self, turns: Sequence[Assignment], now: float) -> Mapping[Kind, Sequence[Assignment]]:
        """Return the kinds of work that are stuck, each with its turns that are held up.

        No worker would be left for them even if all other turns ended."""
        held_up = self.held_up(turns, now)
        kinds = dict.fromkeys(turn.kind for turn in held_up)
        return {
            kind: [turn for turn in held_up if turn.kind == kind]
            for kind in kinds
            if not self.has_room(held_up, kind, now)
        }

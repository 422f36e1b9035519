"""Flows: tickets that wait for others. What stands for their wait, and what the end of one means for them."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

AWAITING = datetime(9999, 1, 1, tzinfo=UTC)
"""The ExecuteEarliest of a ticket that waits for others. It lies behind all that are due, in any index."""

IfFailed = Literal["cancel", "run", "wait"]
"""The meaning of a failure for a ticket that waits: it is cancelled, it runs when all have ended, or it goes on waiting
until the failed one has been retried."""

PrerequisiteEnd = Literal["done", "failed", "gone"]
"""The end of a ticket that others wait for: good, with an Error, or by being deleted before it ended."""


@dataclass(frozen=True)
class OpenFlow:
    """A ticket that waits, by its key: how many tickets it still waits for, and what a failure means."""

    ticket: str
    pending: int
    if_failed: IfFailed


@dataclass
class Decision:
    """The effects of ends on waiting tickets. `counted` are the ends that count, by the ticket that waited and the one
    that ended; `cancelled` tickets have the one that they waited for in vain."""

    counted: dict[tuple[str, str], PrerequisiteEnd] = field(default_factory=dict)
    pending: dict[str, int] = field(default_factory=dict)
    released: list[str] = field(default_factory=list)
    cancelled: dict[str, tuple[str, bool]] = field(default_factory=dict)

    @property
    def decided(self) -> list[str]:
        return [*self.released, *self.cancelled]


def decide(
    flows: Collection[OpenFlow], waits: Mapping[str, Sequence[str]], ended: Mapping[str, PrerequisiteEnd]
) -> Decision:
    """Decide what ends mean for the tickets that wait, directly or through those that are cancelled.

    `waits` has, by each prerequisite, those that wait for it, as far as that end was not counted before.
    """
    decision, ends = Decision(), list(ended.items())
    policy = {flow.ticket: flow.if_failed for flow in flows}
    pending = {flow.ticket: flow.pending for flow in flows}
    for prerequisite, end in ends:  # grows by those that are cancelled
        for ticket in waits.get(prerequisite, ()):
            if ticket not in policy or ticket in decision.cancelled:
                continue
            if end == "done" or policy[ticket] == "run":
                decision.counted[ticket, prerequisite] = end
                pending[ticket] -= 1
                decision.pending[ticket] = pending[ticket]
                if not pending[ticket]:
                    decision.released.append(ticket)
            elif end == "gone" or policy[ticket] == "cancel":
                decision.counted[ticket, prerequisite] = end
                decision.cancelled[ticket] = prerequisite, end == "gone"
                ends.append((ticket, "failed"))
    return decision


def by_prerequisite(pairs: Collection[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """Return the tickets that wait, by the ticket that they wait for, of pairs of both."""
    waits: defaultdict[str, list[str]] = defaultdict(list)
    for ticket, prerequisite in pairs:
        waits[prerequisite].append(ticket)
    return waits

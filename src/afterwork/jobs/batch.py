"""Batches: one as it runs, its result, and the number of tickets in the next."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

from afterwork.jobs.attempts import Settled
from afterwork.jobs.call_for_many import CallForMany
from afterwork.jobs.run import Hindered, Raised
from afterwork.jobs.source import Claim


@dataclass
class OpenBatch:
    """Tickets that share a transaction, with the outcomes so far. It `is_executed` once all have run that shall."""

    claims: Sequence[Claim] = ()
    settled: Settled = field(default_factory=list)
    is_executed: bool = False
    call: CallForMany | None = None
    """The last call for many tickets; None without one."""

    @property
    def has_failed_together(self) -> bool:
        """Return whether what went wrong may be the fault of tickets that were taken together."""
        return self.call is not None and (self.is_executed or len(self.settled) == self.call.start)


@dataclass(frozen=True)
class CommittedBatch:
    """A committed batch. With `more`, the lane may have further tickets. It is not `full` if its time was over before
    all claimed tickets had begun, or if something went wrong. `going_on` counts runs that have begun and go on."""

    settled: Settled
    more: bool
    full: bool = True
    going_on: int = 0

    @property
    def did_nothing(self) -> bool:
        return not (self.settled or self.more or self.going_on)


@dataclass(frozen=True)
class Undone:
    """A batch of `count` tickets that was rolled back. `good` of them had run before another raised; None if nobody
    knows whose fault it is. It `is_disturbed` if a job changed another ticket of the batch."""

    count: int
    good: int | None
    is_disturbed: bool = False


@dataclass(frozen=True)
class TakenApart:
    """A batch that was rolled back, some of whose tickets had been taken together. The next one is as large, and runs
    these tickets one by one."""


Batched = CommittedBatch | Undone | TakenApart


@dataclass(frozen=True)
class Mixed:
    """The result of a transaction shared by the first tickets of many lanes. `obtained` are the lanes that it locked.
    Those `left` are free but have not run, each with the number of lanes that may share its next transaction, itself
    included; None if nothing speaks against sharing. `unfit` maps lanes whose first ticket must run alone to its work.
    Works that are `hindered` have waited for a row in vain."""

    batched: Batched
    obtained: Collection[str]
    left: Mapping[str, int | None]
    unfit: Mapping[str, str]
    hindered: Collection[str] = ()


@dataclass
class BatchSize:
    """The number of tickets of a lane in the next transaction: the allowed number, unless something goes wrong.

    Then it shrinks until the culprit is alone, and doubles again each time as long as all goes well.
    """

    allowed: int
    size: int
    in_time: int
    """The number expected to run within a batch's time; tickets beyond that would be claimed in vain."""
    singly: int = 0
    """The number to run one at a time, in the order that the lane has by then."""

    @classmethod
    def of(cls, allowed: int) -> "BatchSize":
        return cls(allowed, allowed, allowed)

    @property
    def next(self) -> int:
        return 1 if self.singly else self.size

    @property
    def is_usual(self) -> bool:
        """Return whether nothing needs to be remembered."""
        return self.size == self.allowed and not self.singly

    def note(self, batched: Batched) -> Self:
        match batched:
            case Undone(count=count, is_disturbed=True):
                self.singly = count
            case Undone(count=count, good=good):
                self.size = max(1, count // 2 if good is None else good)
            case CommittedBatch(settled=settled, full=True) if settled:
                self.singly = max(0, self.singly - len(settled))
                self.in_time = min(self.allowed, self.in_time * 5 // 4 + 1)
                self.size = min(self.in_time, 2 * self.size)
            case CommittedBatch(settled=settled) if any(
                isinstance(outcome, Raised | Hindered) for _, outcome in settled
            ):
                self.singly = max(0, self.singly - len(settled))
            case CommittedBatch(settled=settled) if settled:
                self.size = self.in_time = len(settled)
            case _:
                pass
        return self

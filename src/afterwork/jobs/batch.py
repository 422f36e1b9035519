"""Batches: what came of one, and how many tickets the next one takes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from afterwork.jobs.outcome import Hindered, Raised
from afterwork.jobs.runner import Settled


@dataclass(frozen=True)
class Done:
    """A batch was committed. With `more`, there may be more to be had in the lane. It is not `full` if its time was
    over before all had begun that were claimed, or if something has gone wrong."""

    settled: Settled
    more: bool
    full: bool = True


@dataclass(frozen=True)
class Undone:
    """A batch of so many was rolled back. `good` of them had run before another one has raised; None if nobody knows
    whose fault it is. It `is_disturbed` if a job has changed another ticket of the batch."""

    count: int
    good: int | None
    is_disturbed: bool = False


Batched = Done | Undone


@dataclass(frozen=True)
class Mixed:
    """What came of the first tickets of many lanes that shared a transaction. `found` are the lanes that it had. Those
    that are `left` may be had and have not run, each with how many may share the next transaction with it, itself
    included; None if nothing speaks against it. `unfit` are those whose first ticket is to run alone, with its work.
    Works that are `hindered` have waited for a row in vain."""

    batched: Batched
    found: Collection[str]
    left: Mapping[str, int | None]
    unfit: Mapping[str, str]
    hindered: Collection[str] = ()


@dataclass
class BatchSize:
    """How many tickets of a lane the next transaction takes: as many as are allowed, unless something goes wrong.

    Then they are fewer until the culprit is alone, and more again, twice as many each time, as long as all goes well.
    """

    allowed: int
    size: int
    in_time: int
    """So many are thought to run within a batch's time: what is claimed beyond that is claimed in vain."""
    singly: int = 0
    """So many are to run one at a time, in the order that the lane has by then."""

    @classmethod
    def of(cls, allowed: int) -> "BatchSize":
        return cls(allowed, allowed, allowed)

    @property
    def next(self) -> int:
        """The number of tickets to take next."""
        return 1 if self.singly else self.size

    @property
    def is_usual(self) -> bool:
        """Whether there is nothing to be remembered."""
        return self.size == self.allowed and not self.singly

    def note(self, batched: Batched) -> Self:
        """Take note of what came of a batch."""
        match batched:
            case Undone(count=count, is_disturbed=True):
                self.singly = count
            case Undone(count=count, good=good):
                self.size = max(1, count // 2 if good is None else good)
            case Done(settled=settled, full=True) if settled:
                self.singly = max(0, self.singly - len(settled))
                self.in_time = min(self.allowed, self.in_time * 5 // 4 + 1)
                self.size = min(self.in_time, 2 * self.size)
            case Done(settled=settled) if any(isinstance(outcome, Raised | Hindered) for _, outcome in settled):
                self.singly = max(0, self.singly - len(settled))
            case Done(settled=settled) if settled:
                self.size = self.in_time = len(settled)
            case _:
                pass
        return self

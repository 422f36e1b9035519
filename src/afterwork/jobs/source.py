"""What a trigger gives to the parts that run jobs: what is due, how to claim it, and how to settle it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Connection

from afterwork.jobs.outcome import Outcome
from afterwork.jobs.run import Run
from afterwork.jobs.session import RunSession
from afterwork.model.work import Work
from afterwork.store.leases import Lease


@dataclass(frozen=True)
class Due:
    """What a look at the database found: the lanes that have something due, each with the priorities to take, highest
    first; and the next moment at which something will be."""

    lanes: dict[str, list[int]]
    next_moment: datetime | None


@dataclass(frozen=True)
class Claim:
    """One piece of due work that a transaction has claimed. `key` finds it again; `work` is what it is for, or the
    reason why it can't be run. With `not_after`, it is not to begin after that moment."""

    key: Any
    run: Run
    work: Work | str
    row: Any
    not_after: datetime | None = None

    @property
    def external(self) -> bool:
        return not isinstance(self.work, str) and self.work.external


@dataclass(frozen=True)
class ClaimedWork:
    """What a transaction has claimed. It may also have `moved` tickets that stood in a lane which is not theirs, or
    have met with `hidden` ones, which the database lets it read and not lock. Those that no claim could name have
    `ended`; then there are no claims."""

    claims: Sequence[Claim]
    moved: bool = False
    hidden: Sequence[Claim] = ()
    ended: Sequence[tuple[Run, Outcome]] = ()

    @property
    def goes_on(self) -> bool:
        """Whether others are to be looked for in the lane, though there may be no claim."""
        return self.moved or bool(self.hidden or self.ended)


class JobSource(Protocol):
    """One way in which work starts."""

    @property
    def name(self) -> str: ...

    def counts_attempts(self, claim: Claim) -> bool:
        """Whether it keeps count of the attempts of a claim. Without that, no retry policy can apply."""

    def due(self, connection: Connection, now: datetime) -> Due:
        """What is due now. Costs the same however much waits."""

    def claim(self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int) -> ClaimedWork:
        """Claim due work for the transaction that is open, if it can have the lane; without a priority, the first."""

    def claim_again(self, connection: Connection, claim: Claim) -> Claim | None:
        """Claim the same once more in a new transaction, if nobody else has it by now."""

    def leave(self, claim: Claim, until: datetime) -> None:
        """Look past a claim until a moment, since its row can't be written."""

    def held(self, connection: Connection, key: str, lane: str) -> Claim | None:
        """What a lease holds, read again; None if it is not there any more."""

    def is_for_others(self, connection: Connection, key: str, lane: str) -> bool:
        """Whether what a lease holds is left to servers whose code knows it, or which serve its lane."""

    def roots(self, session: RunSession, claims: Sequence[Claim]) -> dict[Any, object | None | str]:
        """The root of each claim by key, one query for each class; or the reason why there is none."""

    def variables(self, connection: Connection, claims: Sequence[Claim]) -> dict[Any, Mapping[str, Any]]:
        """The variables that claims were given by what started them, by key. Those without any are left out."""

    def settle(self, connection: Connection, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        """Write how the runs ended, in the transaction of their effects. Raises `BatchDisturbed` if one of several has
        changed another one's ticket."""

    def check(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        """Raise `BatchDisturbed` if claims are not any more what, and where, they were when they were claimed."""

    def check_unchanged(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        """Raise `BatchDisturbed` if one of several claims, none of which is settled, would be another one by now, or if
        something that this transaction has written comes before it."""

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        """Whether something waits in a lane, due or not."""

    def prune(self, connection: Connection, now: datetime, most: int) -> int:
        """Delete some receipts whose time has passed. Returns how many; 0 says that none is left."""


CACHES = "\x00caches"
"""What stands for a lane where caches are due. They run beside all lanes."""

TIMERS = "\x00timers"
"""What stands for a lane where timers are due. Their rounds are found beside all lanes."""

ONCE = "\x00once"
"""What stands for a lane where something is to run once per database. Until that is done, nothing else is due."""

Ran = list[tuple[Run, Outcome]]


class Upgrader(Protocol):
    """What runs, once per database, what an upgrade of the application needs."""

    def is_due(self, connection: Connection) -> bool:
        """Whether there is something that has not run and can, or that goes on, so that all else must wait."""

    def upgrade(self, connection: Connection, server: int, holding: Callable[[Lease, bool], None]) -> Iterator[Ran]:
        """Run what is due and can be had, one after the other. `holding` is told of each lease for the time in which it
        is worked on."""


class Firer(Protocol):
    """What fires timers."""

    def fire(self, connection: Connection) -> Iterator[str]:
        """Fire what is due. Yields the names of the timers that had a round."""


class Refresher(Protocol):
    """What keeps caches fresh."""

    def prove(self, connection: Connection) -> bool:
        """See whether all changes have been captured. What may be wrong otherwise is to run again. False if others are
        in the way, so that nobody knows."""

    def due(self, connection: Connection, now: datetime) -> Due:
        """Whether something is to be done now, in the lane `CACHES`, and the next moment at which something will be."""

    def refresh(self, connection: Connection, server: int, active: Callable[[str, bool], None]) -> Iterator[Ran]:
        """Run what is due, a batch at a time, until nothing is. `active` is told of each claim for as long as this
        server is at it."""

    def adopt(
        self, connection: Connection, server: int, living: Sequence[int], active: Callable[[], Sequence[str]]
    ) -> bool:
        """Take care of the claims of servers that are gone, and of those that this one has lost track of. True if there
        are claims of others, which must be looked after."""

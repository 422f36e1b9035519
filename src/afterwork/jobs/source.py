"""The protocols of sources: `Source`, asked by the server's loop, and `JobSource`, whose jobs run in lanes.

An assignment is what a worker does for one: drain lanes, take over a run, or do the source's own work.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, Protocol

from sqlalchemy import ColumnElement, Connection

from afterwork.clock import Clock
from afterwork.events import Events
from afterwork.jobs.arguments import ObjectsOfArguments
from afterwork.jobs.blocked import BlockedLooks
from afterwork.jobs.quarantine import Quarantine
from afterwork.jobs.results import KeptResult
from afterwork.jobs.run import Outcome, Run, SucceededTogether
from afterwork.jobs.session import RunSession
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.arguments.result import WorkResult
from afterwork.model.inspection import ModelInfo
from afterwork.model.work import Work
from afterwork.store.database import Database
from afterwork.store.leases import Lease


@dataclass(frozen=True)
class OwnWork:
    """The work that a source does beside all lanes, with one worker of its own.

    While exclusive work is due, nothing else begins. Nobody waits for housekeeping."""

    source: str
    is_exclusive: bool = False
    is_housekeeping: bool = False


Workload = str | OwnWork
"""Anything that can wait for a worker: a lane, by its name, or the own work of a source."""

AssignmentKind = Literal["short", "long", "async"] | OwnWork
"""The workers that may take an assignment: those for short runs, those for long runs, or that of a source. Long runs
are external or in no lane. A async run has no worker."""


@dataclass(eq=False)
class Assignment:
    """The work that one worker is given. `workloads` are the lanes that it drains, each with the priority to begin
    with, or the own work of a source. `since` is the start of the current transaction or run; with `is_external`, that
    is a run outside a transaction. `lease` is set if the run began on another server."""

    kind: AssignmentKind
    workloads: Mapping[Workload, int | None]
    began: float
    lease: Lease | None = None
    since: float = field(init=False)
    is_external: bool = False
    is_reported: bool = False

    def __post_init__(self) -> None:
        self.since = self.began

    @property
    def workload(self) -> Workload:
        (only,) = self.workloads
        return only

    @property
    def lanes(self) -> dict[str, int | None]:
        """Return the lanes to drain, each with the priority to begin with."""
        return {lane: priority for lane, priority in self.workloads.items() if isinstance(lane, str)}


@dataclass(frozen=True)
class WorkerHandle:
    """The worker of an assignment, as a source knows it. `hold` registers a lease while it is worked on, `claim` a
    claim of derived values; both are called again with False at the end."""

    server: int
    assignment: Assignment
    hold: Callable[[Lease, bool], None]
    claim: Callable[[str, bool], None]


@dataclass(frozen=True)
class Due:
    """The workloads that are due, each with its priorities, most urgent (smallest number) first; the next due time."""

    workloads: Mapping[Workload, Sequence[int]] = field(default_factory=dict)
    next_due: datetime | None = None

    @property
    def is_exclusive(self) -> bool:
        """Return whether nothing else may begin before this is done."""
        return any(isinstance(work, OwnWork) and work.is_exclusive for work in self.workloads)

    def beside(self, other: "Due") -> "Due":
        coming = [timestamp for timestamp in (self.next_due, other.next_due) if timestamp is not None]
        return Due({**self.workloads, **other.workloads}, min(coming, default=None))


@dataclass(frozen=True)
class Claim:
    """One piece of due work that a transaction has claimed. `key` finds it again; `work` is the work to run, or the
    reason why it can't run. It must not begin after `not_after`."""

    key: Any
    run: Run
    work: Work | str
    row: Any
    not_after: datetime | None = None

    @property
    def external(self) -> bool:
        return not isinstance(self.work, str) and self.work.external

    @property
    def is_async(self) -> bool:
        return not isinstance(self.work, str) and self.work.is_async


@dataclass(frozen=True)
class ClaimedWork:
    """The claims of one transaction. It may also have `moved` tickets from a wrong lane into their own, or met `hidden`
    ones, which the database lets it read but not lock. Tickets that no claim could name have `ended`; the transaction
    then makes no claims."""

    claims: Sequence[Claim]
    moved: bool = False
    hidden: Sequence[Claim] = ()
    ended: Sequence[tuple[Run, Outcome]] = ()

    @property
    def goes_on(self) -> bool:
        """Return whether the lane may have more, even without a claim."""
        return self.moved or bool(self.hidden or self.ended)


class JobSource(Protocol):
    """A source whose jobs run in lanes: tickets, or matches of timers."""

    @property
    def name(self) -> str: ...

    def counts_attempts(self, claim: Claim) -> bool:
        """Return whether the attempts of a claim are counted. Without that, no retry policy can apply."""

    def due(self, connection: Connection, now: datetime) -> Due:
        """Return the lanes with something due. The cost does not depend on how much waits."""

    def claim(self, connection: Connection, lane: str, priority: int | None, now: datetime, most: int) -> ClaimedWork:
        """Claim due work in the open transaction, if the lane is free; without a priority, the first."""

    def claim_again(self, connection: Connection, claim: Claim) -> Claim | None:
        """Claim the same work in a new transaction, unless somebody else has claimed it meanwhile."""

    @property
    def leaves_work(self) -> bool:
        """Return whether due work may be left to other servers, which alone know it."""

    def leave(self, claim: Claim, until: datetime) -> None:
        """Skip a claim until then, because its row can't be written."""

    def leased_claim(self, connection: Connection, key: str, lane: str) -> Claim | None:
        """Read the claim of a lease again. Return None if it is gone."""

    def is_for_others(self, connection: Connection, key: str, lane: str) -> bool:
        """Return whether a leased run is left to servers whose code knows its work, or that serve its lane."""

    def roots(self, session: RunSession, claims: Sequence[Claim]) -> dict[Any, object | None | str]:
        """Load the root of each claim, or the reason why it has none, by key; with one query per class."""

    def variables(self, connection: Connection, claims: Sequence[Claim]) -> dict[Any, Mapping[str, Any]]:
        """Return the variables of claims, by key, as their source has set them. Claims without any are left out."""

    def objects(self, session: RunSession, claims: Sequence[Claim]) -> ObjectsOfArguments:
        """Load the objects that the arguments of claims name, with one query per class."""

    def kept(self, claim: Claim, result: WorkResult, returned: object) -> KeptResult | None:
        """Return what is kept of the value that a work has returned, which may be nothing."""

    def settle(self, connection: Connection, outcomes: Sequence[tuple[Claim, Outcome]], now: datetime) -> None:
        """Write how the runs ended, in the transaction of their effects. Raises `BatchDisturbed` if one of several has
        changed another one's ticket."""

    def check(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        """Raise `BatchDisturbed` if claims have changed, or left their lane, since they were claimed."""

    def check_unchanged(self, connection: Connection, claims: Sequence[Claim], now: datetime) -> None:
        """Raise `BatchDisturbed` if one of several unsettled claims would differ by now. Also raise it if this
        transaction has written something that comes before it."""

    def is_used(self, lane: ColumnElement[str]) -> ColumnElement[bool]:
        """Return the condition that something waits in a lane, due or not."""

    def has_expired(self, now: datetime) -> ColumnElement[bool]:
        """Return the condition that a receipt has expired."""

    def prune(self, connection: Connection, now: datetime, most: int) -> int:
        """Delete some expired receipts. Return how many; 0 means that none is left."""


EndedRuns = list[tuple[Run, Outcome | SucceededTogether]]


@dataclass(frozen=True)
class SourceContext:
    """The parts that the sources of a server share: its model and database, clock, listeners, variables, and so on."""

    model: ModelInfo
    database: Database
    clock: Clock
    events: Events
    variables: Mapping[str, Any]
    time_limits: TimeLimits
    blocked: BlockedLooks
    quarantine: Quarantine = field(default_factory=Quarantine)


@dataclass(frozen=True)
class Peers:
    """The servers on a database, as one of them knows them. `living` reads their numbers, this one's included;
    `claims` are the claims of derived values that this one works on."""

    server: int
    living: Callable[[], Sequence[int]]
    claims: Callable[[], Collection[str]]


class Source(ABC):
    """One of an application's sources: it names what is due, works on it, and adopts what others have left."""

    own: ClassVar[OwnWork]
    """Names its own work, and so itself."""

    @abstractmethod
    def due(self, connection: Connection, now: datetime) -> Due:
        """Return what is due now, lanes or the source's own work, and the next time that something will be."""

    @abstractmethod
    def work(self, connection: Connection, worker: WorkerHandle) -> Generator[EndedRuns]:
        """Work off an assignment until nothing is left. Yield the runs to report after each transaction. The turn may
        end at any yield, in quarantine at the first.

        Yields nothing at all if another server has the work; the source is tried again after a while then."""

    def adopt(self, connection: Connection, peers: Peers) -> bool:
        """Take over work left by servers that are gone, and work this one has lost track of. Return whether others
        work on something, so that they must be watched."""
        return False

    def check(self, connection: Connection) -> timedelta | None:
        """Check for changes that nobody signals. Return the time until the next check; None if none is needed."""
        return None


def due_of(sources: Iterable[Source], ask: Callable[[Source], Due], is_busy: Callable[[OwnWork], bool]) -> Due:
    """Return what is due of all sources, or of the first alone whose due work is exclusive. A source whose own work is
    busy is not asked, except for exclusive work, which everything else waits for."""
    due = Due()
    for source in sources:
        if source.own.is_exclusive or not is_busy(source.own):
            due = due.beside(ask(source))
        if due.is_exclusive:
            break
    return due

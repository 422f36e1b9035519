"""A turn: what a worker has been given to do, and which kind of work that is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from afterwork.jobs.source import CACHES, ONCE, TIMERS
from afterwork.model.lane import PARALLEL
from afterwork.store.leases import Lease

Kind = Literal["short", "long", "caches", "timers", "once", "sweep"]
"""What a worker does: drain lanes of short runs; runs that may take long, which are those outside of a transaction and
those in no lane; caches; rounds of timers; what runs once per database; or deleting what has had its time."""

SWEEP = "\x00sweep"
"""What stands for a lane where something is to be deleted whose time has passed."""

BESIDE: Mapping[str, Kind] = {CACHES: "caches", TIMERS: "timers", ONCE: "once", SWEEP: "sweep", PARALLEL: "long"}


@dataclass(eq=False)
class Assignment:
    """The work of one worker. `lanes` are those that it drains, or what stands for one, each with the priority to begin
    with. `since` is when the transaction or run began that goes on; with `is_outside`, that is one outside of a
    transaction. `lease` is set where the run has begun on another server."""

    kind: Kind
    lanes: Mapping[str, int | None]
    began: float
    lease: Lease | None = None
    since: float = field(init=False)
    is_outside: bool = False
    is_told: bool = False

    def __post_init__(self) -> None:
        self.since = self.began

    @property
    def lane(self) -> str:
        """The lane, of a turn that has one."""
        (only,) = self.lanes
        return only

"""The assignments of workers: lanes to drain, a run to take over, or the own work of a source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

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

Kind = Literal["short", "long"] | OwnWork
"""The workers that may take an assignment: those for short runs, those for long runs, or that of a source. Long runs
are external or in no lane."""


@dataclass(eq=False)
class Assignment:
    """The turn of one worker. `workloads` are the lanes that it drains, each with the priority to begin with, or the
    own work of a source. `since` is the start of the current transaction or run; with `is_external`, that is a run
    outside a transaction. `lease` is set if the run began on another server."""

    kind: Kind
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
        """Return the workload of an assignment that has a single one."""
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

"""One attempt to run a view model, or to move a machine, on one object."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.recorder import Recorder
from afterwork.jobs.run import Run
from afterwork.model.derivation import MachineDerivation, MemberDerivation, ViewModelDerivation


@dataclass
class ActionAttempt:
    """An attempt, with what it has seen and read so far.

    `root_reads` are the reads of the object itself. `is_loadable` is False once loading the object has failed.
    """

    connection: Connection
    batch: ClaimedBatch
    run: Run
    now: datetime
    snapshot: Any = None
    recorder: Recorder | None = None
    root_reads: Reads = field(default_factory=Reads)
    is_loadable: bool = True
    began: float = field(default_factory=time.perf_counter)

    @property
    def derivation(self) -> RegisteredDerivation:
        return self.batch.derivation

    @property
    def declared(self) -> ViewModelDerivation | MachineDerivation:
        assert not isinstance(self.derivation.declaration, MemberDerivation)
        return self.derivation.declaration

    @property
    def claimed(self) -> ClaimedCache:
        return self.batch.caches[0]

    @property
    def key(self) -> tuple[Any, ...]:
        """The primary key of the object."""
        return self.derivation.key_of(self.claimed.root)

    @property
    def seconds(self) -> float:
        """The duration so far."""
        return time.perf_counter() - self.began

    @property
    def reads(self) -> Reads:
        """All reads so far. Collected anew each time."""
        reads = Reads() if self.recorder is None else self.recorder.reads()
        reads.add_all(self.root_reads)
        return reads

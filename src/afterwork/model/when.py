"""What starts a job, where it is not a ticket."""

from dataclasses import dataclass
from datetime import timedelta

from afterwork.errors import BadDeclaration


@dataclass(frozen=True, kw_only=True)
class WhenStale:
    """Starts a view model on each object of its root class, and again whenever something that it read has changed.

    `priority`: 1 runs before 2, None last. `allow_oldness`: a cache that has just run waits at least so long before it
    runs again, however often it becomes stale meanwhile.
    """

    priority: int | None = None
    allow_oldness: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        if self.allow_oldness < timedelta(0):
            raise BadDeclaration(f"allow_oldness is {self.allow_oldness}. It must be 0 or more.")

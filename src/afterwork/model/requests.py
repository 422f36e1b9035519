"""Requests for work from expressions: `self.DoAsync('AssignNumber')`.

To write a ticket belongs above the store, and the languages' names of a model stand below it. So `aw.later` registers
itself here when `afterwork` is imported, and expressions call what is registered.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from afterwork.model.method import BoundMethod, GivenWork

Later = TypeVar("Later", bound=Callable[..., object])


class WorkRequest:
    """A call of `aw.later`, from below it."""

    def __init__(self) -> None:
        self._later: Callable[..., object] | None = None

    def register(self, later: Later) -> Later:
        """Register the function to call from now on. Serves as its decorator."""
        self._later = later
        return later

    def __call__(self, work: BoundMethod[Any] | GivenWork[Any], priority: int | None = None) -> object:
        """Ask for a method of an object, with the arguments that it may have been given. Returns the ticket."""
        assert self._later is not None  # `import afterwork` has registered it
        return self._later(work, priority=priority)


request_work = WorkRequest()

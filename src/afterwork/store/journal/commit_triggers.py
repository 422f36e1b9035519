"""Triggers that refresh derived members in the transactions that change what they are made of."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from afterwork.store.journal.refresh import RefreshPlan


class CommitTriggers(ABC):
    """The triggers of this kind in one kind of database, in the open transaction."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @abstractmethod
    def install(self, plans: Sequence[RefreshPlan]) -> Iterator[str]:
        """Create or replace the triggers of plans, in their order, and drop those of routes that are gone. Yields a
        line for each step."""

    @abstractmethod
    def are_installed(self, plan: RefreshPlan) -> bool:
        """Return whether the triggers of a plan are as they must be."""

    def adopt(self) -> None:
        """Give servers the touches of transactions that have committed without their triggers."""
        return

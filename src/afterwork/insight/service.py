"""All that can be read of one database."""

from collections.abc import Sequence
from dataclasses import replace

from afterwork.clock import Clock
from afterwork.insight import once, timers
from afterwork.insight import status as statuses
from afterwork.insight import tickets as ticket_views
from afterwork.insight.check import Check, Finding
from afterwork.insight.of_caches import OfCaches
from afterwork.insight.of_machines import OfMachines
from afterwork.insight.once import OnceView
from afterwork.insight.status import Status
from afterwork.insight.tickets import State, TicketView
from afterwork.insight.timers import TimerView
from afterwork.model.reading import ReadModel
from afterwork.store.database import Database
from afterwork.store.tickets import Columns


class Insight(OfCaches, OfMachines):
    """Reads one database. Changes nothing. What needs Afterwork's own tables raises `NotInstalled` or `WrongSchema`
    where they are not as they must be."""

    def __init__(self, database: Database, model: ReadModel, clock: Clock) -> None:
        super().__init__(database, model, clock)
        self._columns = Columns(model.contract, model.contract.table, database.dialect)

    def status(self) -> Status:
        """Counts of what waits and runs, and who is there to run it."""
        with self._reading() as connection:
            contract, now = self._model.contract, self._clock.now()
            return statuses.status(self._database, connection, contract, self._columns, now)

    def tickets(self, state: State | None = None, most: int = 20) -> Sequence[TicketView]:
        """The newest tickets, all or those in one state. Tickets can be seen without Afterwork's tables, too."""
        with self._database.engine.connect() as connection:
            return ticket_views.newest(connection, self._model.contract, self._columns, state, most)

    def timers(self) -> Sequence[TimerView]:
        """All timers, those of the model and those that the database still knows, by name."""
        with self._reading() as connection:
            return timers.views(connection, self._model)

    def once(self) -> Sequence[OnceView]:
        """What runs once per database: the actions of the model in their order, then others that have run here."""
        with self._reading() as connection:
            return once.views(connection, self._model)

    def check(self) -> Sequence[Finding]:
        """Whether this installation is right, and what to do where it is not."""
        with self._database.engine.connect() as connection:
            found = list(Check(self._database, self._model, self._clock.now()).findings(connection))
        return [replace(finding, advice="") if finding.right else finding for finding in found]

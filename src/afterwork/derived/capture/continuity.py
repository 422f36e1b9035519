"""Proving that all changes have been captured, while servers run."""

from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.clock import Clock
from afterwork.derived.capture import install as capture
from afterwork.derived.capture.requirements import make_good, to_look
from afterwork.events import Events, Missed
from afterwork.store.database import Database


@dataclass(frozen=True)
class ContinuityProof:
    """Sees, of all captured tables of a database, whether changes may have been missed."""

    database: Database
    clock: Clock
    events: Events

    def prove(self, connection: Connection) -> bool:
        """Look by one statement. Where changes may have been missed, let run again what was made of the tables, and say
        so. False if others are in the way, such as an installation."""
        moved = capture.has_moved(connection)
        connection.commit()
        try:
            if moved:
                self._look(connection)
        except DBAPIError as error:
            if not self.database.is_contended(error):
                raise
            return False
        return True

    def _look(self, connection: Connection) -> None:
        with self.database.transaction(connection, to_look(self.database)):
            gaps = capture.look(connection)
            list(make_good(self.database, connection, gaps, self.clock.now()))
        for gap in gaps:
            self.events.emit(Missed(gap.table, gap.why, gap.faults))

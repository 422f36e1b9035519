"""Everything that can be done to an installation by hand, for the command line and whoever else offers it."""

from typing import Any

from sqlalchemy import update

from afterwork.clock import Clock
from afterwork.errors import BadRequest, shown
from afterwork.model.key import key_of
from afterwork.model.reading import ReadModel
from afterwork.store import leases, schema
from afterwork.store.database import Database


class Control:
    """Acts on one database."""

    def __init__(self, database: Database, model: ReadModel, clock: Clock) -> None:
        self._database = database
        self._model = model
        self._clock = clock

    def retry(self, key: str) -> None:
        """Let a ticket that has ended, or waits, run as soon as possible, with all its attempts before it.

        Raises `BadRequest` if there is none.
        """
        contract = self._model.contract
        column = contract.key.column
        try:
            wanted = column == key_of(key, column)
        except ValueError:
            raise BadRequest(f"{shown(key)} can't be the key of a ticket.") from None
        cleared: dict[Any, int | None] = {
            a.column: None for a in (contract.done, contract.delete_time, contract.error, contract.execute_earliest)
        }
        if contract.attempts is not None:
            cleared[contract.attempts.column] = 0
        with self._database.engine.begin() as connection:
            schema.check_installed(self._database, connection)
            found = connection.execute(update(contract.table).where(wanted).values(cleared))
            if not found.rowcount:
                raise BadRequest(f"There is no ticket {key}.")
            self._database.wake_all(connection)

    def pause(self, lane: str) -> None:
        """Let no more jobs of a lane begin. Those that run go on."""
        self._set_paused(lane, True)

    def resume(self, lane: str) -> None:
        """Let jobs of a lane begin again."""
        self._set_paused(lane, False)

    def _set_paused(self, lane: str, paused: bool) -> None:
        connection = self._database.connect()
        try:
            schema.check_installed(self._database, connection)
            connection.commit()
            leases.pause(connection, lane, paused)
            self._database.wake_all(connection)
            connection.commit()
        finally:
            connection.close()

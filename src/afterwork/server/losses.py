"""Losses: work of this server whose worker or connection was lost while the server lives on."""

from sqlalchemy import Connection

from afterwork.events import Broken, ConnectionLost, InTheWay, WorkerLost
from afterwork.jobs.outcome import text_of
from afterwork.jobs.runner import Runner
from afterwork.server.link import ServerConnection
from afterwork.server.workers import Workers


class Losses:
    """Errors that ended workers, kept until the loop has seen what was lost with them."""

    def __init__(self, runner: Runner, link: ServerConnection) -> None:
        self._runner = runner
        self._link = link
        self._lost: list[tuple[Exception, int]] = []

    def note(self, error: Exception, generation: int) -> None:
        """Note that a worker could not continue. The next look finds its work, and anything it leased."""
        if self._runner.database.is_contended(error):
            self._runner.events.emit(InTheWay(text_of(error)))
            return
        self._lost.append((error, generation))
        if not self._runner.database.is_lost(error):
            self._runner.events.emit(Broken("a worker", error))

    def see(self, connection: Connection, workers: Workers) -> bool:
        """Blame what was lost, and put its scopes into quarantine. Return whether anything was lost."""
        for name, ended_by in workers.lost():
            self._runner.events.emit(WorkerLost(name, ended_by))
        blamed = False
        while self._lost:
            error, generation = self._lost.pop(0)
            blamed |= self._blame(error, is_current=generation == workers.generation, connection=connection)
        return blamed

    def _blame(self, error: Exception, is_current: bool, connection: Connection) -> bool:
        """Blame what was lost with one worker, unless the server's own connection is lost, too."""
        quarantine = self._runner.quarantine
        losses = quarantine.losses(error)
        if not is_current:
            return False
        if self._runner.database.is_lost(error):
            if not self._link.answers():
                raise error
            self._runner.events.emit(ConnectionLost(text_of(error)))
        self._link.presence.blame(connection, losses)
        for loss in losses:
            quarantine.begin(loss.scope)
        return True

"""The server: looks what is due, gives it to its workers, and sleeps until the next moment or until it is woken."""

import threading
import time
from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import Connection

from afterwork.boundary import failure_of
from afterwork.events import (
    Broken,
    ConnectionLost,
    DatabaseBack,
    DatabaseLost,
    FellAsleep,
    HeldUp,
    InTheWay,
    ServerStarted,
    ServerStopped,
    ServerStopping,
    WorkerLost,
)
from afterwork.jobs.outcome import text_of
from afterwork.jobs.runner import Runner
from afterwork.jobs.source import CACHES, ONCE, Due
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.server.arrival import FIRST_RETRY, LONGEST_RETRY
from afterwork.server.assignment import BESIDE, SWEEP, Assignment
from afterwork.server.health import Health, Prober, Sign, loop_sign, of_server
from afterwork.server.heartbeat import Heartbeat
from afterwork.server.history import HistoryKeeper
from afterwork.server.lanes import KnownLanes
from afterwork.server.link import ServerConnection
from afterwork.server.liveness import TURN, Pulse
from afterwork.server.retirement import Retirement
from afterwork.server.scheduler import Scheduler
from afterwork.server.tasks import Tasks
from afterwork.server.workers import Workers
from afterwork.store import leases

BUSY_LOOK = 0.01
"""While lanes are being drained, the server looks for other work at least this often, in seconds."""

LOOK_IS_GOOD_FOR, LONGEST_GOOD_FOR = 0.03, 1.0
"""Seconds for which what was found by a look is given to workers without another one, if there is enough of it: at
least and at most."""

LOOK_SHARE = 5
"""In between, it is so many times as long as the look took: with very many lanes, one takes a while."""

SOON = 1.0
"""Seconds for which a server that stops waits for its history in any case."""

SOON_IDLE = 0.03
"""A server that is done within these seconds doesn't bother to tell writers that it is awake, nor to look for more
meanwhile. What is calculated at once takes up to `Settings.at_once`, and half as long to be taken and stored."""

LONG_AGO = float("-inf")


class Server:
    """One server on one database. `run` is its life; `stop` ends it from any thread."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._settings = runner.settings
        self._stopping = threading.Event()
        self._ready = threading.Event()
        # What runs once comes before all else, also if the server is woken before it has looked.
        first = MAIN if runner.upgrader is None else ONCE
        self._lanes = KnownLanes(self._settings.standby_poll.total_seconds(), first, runner.limits)
        self._care = runner.quarantine
        self._scheduler = Scheduler(
            self._settings.workers,
            self._settings.held_limit.total_seconds(),
            self._lanes,
            is_alone=lambda: self._care.is_alone,
        )
        self._link = ServerConnection(runner)
        self._workers = Workers(self._settings.workers, runner.database, self._failed)
        runner.timeouts.frees = self._workers.free
        self._tasks = Tasks(runner, self._link, self._lanes, self._scheduler, self._stopping)
        self._pulse = Pulse()
        self._prober = Prober(runner.database, self._link.wakes)
        self.leaving = Retirement(self._settings, runner.history)
        self._lost: list[tuple[Exception, int]] = []
        self._asleep = self._noticed = False
        self._next_sweep = self._next_proof = self._watched_at = self._look_again_at = LONG_AGO
        self._bury_from = LONG_AGO
        self._due = Due({}, None)

    def stop(self) -> None:
        """Begin no more jobs, let those that run end within the set time, and return from `run`."""
        self.leaving.is_told.set()
        self._stopping.set()
        self._link.wake()

    def loop(self) -> Sign:
        """Whether its loop goes round as it has promised."""
        return loop_sign(self._pulse)

    def health(self) -> Health:
        """Whether the server lives and is ready, with the reasons. From any thread; answers within some seconds."""
        return of_server(self._pulse, self._ready.is_set(), self._stopping.is_set(), self._prober)

    def wait_until_ready(self, seconds: float) -> bool:
        """Wait until the server has entered its database. False if it has not in the given time."""
        return self._ready.wait(seconds)

    def _open(self) -> None:
        self._link.open()
        self._care.enter(self._link.presence.id, self._lanes.hold)
        self._look_for_crashes(self._link.connection)
        self._look_again_at = LONG_AGO
        self._watched_at = LONG_AGO  # leases may be left, also of this server's own that it has lost track of

    def _look_for_crashes(self, connection: Connection) -> None:
        """See who is gone. Not soon after a loss of the database: others have lost it, too, and are about to return."""
        if time.monotonic() >= self._bury_from:
            self._link.presence.crashed(connection)
        self._link.presence.heed(connection, self._care)

    def _open_first(self) -> bool:
        """Open; wait for those who are in the way, or for the database. False if told to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                self._open()
            except Exception as error:
                if self._runner.database.is_lost(error):
                    self._runner.events.emit(DatabaseLost(text_of(error)))
                    return self._come_back()
                if not self._runner.database.is_contended(error):
                    raise
                self._runner.events.emit(InTheWay(text_of(error)))
            else:
                return True
        return False

    def run(self) -> int:
        """Serve until `stop`. Returns how many runs did not end within the set time.

        Raises `NotInstalled` or `WrongSchema` if the database is not as it must be.
        """
        try:
            return self._run() if self._open_first() else 0
        finally:
            self._pulse.end()

    def _run(self) -> int:
        presence = self._link.presence
        heartbeat = Heartbeat(self._runner, presence, self._lanes.runs)
        keeper = HistoryKeeper(self._runner, presence.id)
        self._runner.events.emit(ServerStarted(presence.id, str(self._runner.database)))
        self._ready.set()
        try:
            self._serve()
        finally:
            self._runner.events.emit(ServerStopping(presence.id, self.leaving.why))
            self._link.stop()
            self._wait_in_peace()
            deadline = time.monotonic() + self._settings.grace.total_seconds()
            unfinished = min(self._workers.wait_until_idle(deadline - time.monotonic()), self._scheduler.runs)
            heartbeat.stop(max(0.0, deadline - time.monotonic()))
            keeper.stop(max(SOON, deadline - time.monotonic()))
            self._workers.stop()
            if unfinished:
                self._link.close()  # its row stays, so that its leases are not taken before they expire or it is gone
            else:
                self._link.leave()
            self._runner.events.emit(ServerStopped(presence.id, unfinished))
        return unfinished

    def _wait_in_peace(self) -> None:
        """Let runs end, however long that takes, if the server was asked to leave when they have."""
        while self.leaving.in_peace and not self.leaving.is_told.is_set():
            self._pulse.promise(TURN)
            if not self._workers.wait_until_idle(BUSY_LOOK * 10):
                return

    # Its loop: look, start, wait.

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn(self._link.connection)
            except BaseException as error:
                self._recover(failure_of(error))

    def _turn(self, connection: Connection) -> None:
        self._pulse.promise(TURN)
        for name, error in self._workers.lost():
            self._runner.events.emit(WorkerLost(name, error))
        while self._lost:
            self._see_what_was_lost(*self._lost.pop(0), connection)
        if self.leaving.has_had_enough():
            self._stopping.set()
            return
        if self._noticed:
            self._try_recent()
        # Before the first worker begins: to write to a file, this thread would wait for what its workers write.
        self._prove(connection)
        self._tell_of_held()
        looks = not self._scheduler.is_waiting or time.monotonic() >= self._look_again_at
        if looks:
            self._look(connection)
        if self._start() or self._scheduler.is_busy:
            self._watch(connection)
            self._wait_for_workers()
        elif looks:
            self._sleep(connection)
        else:
            self._look_again_at = LONG_AGO

    def _see_what_was_lost(self, error: Exception, generation: int, connection: Connection) -> None:
        """A worker could not go on. If the server's own connection is gone, too, nobody is to blame."""
        losses = self._care.losses(error)
        if generation != self._workers.generation:
            return
        if self._runner.database.is_lost(error):
            if not self._link.answers():
                raise error
            self._runner.events.emit(ConnectionLost(text_of(error)))
        self._link.presence.blame(connection, losses)
        for loss in losses:
            self._care.begin(loss.scope)
        self._watched_at = LONG_AGO

    def _try_recent(self) -> None:
        """New work is mostly for the lane that had some before: try that one before looking at all."""
        self._noticed = False
        if self._scheduler.is_busy:
            return  # it looks all the time
        turn = self._scheduler.begin(self._lanes.recent)
        if turn is not None:
            self._give(turn)
            self._link.waker.wait(SOON_IDLE)

    def _look(self, connection: Connection) -> None:
        """See what is due."""
        lanes = self._lanes
        if lanes.paused:
            lanes.paused &= leases.paused(connection)
            connection.commit()
        began = time.monotonic()
        self._due = self._runner.due(connection, caches_too=self._scheduler.is_free(CACHES))
        took = time.monotonic() - began
        self._look_again_at = began + min(LONGEST_GOOD_FOR, max(LOOK_IS_GOOD_FOR, LOOK_SHARE * took))
        self._lanes.ensure(connection, *(lane for lane in self._due.lanes if lane == PARALLEL or lane not in BESIDE))
        self._scheduler.saw({**self._due.lanes, **self._to_sweep()})

    def _to_sweep(self) -> Mapping[str, Sequence[int]]:
        if time.monotonic() < self._next_sweep or not self._scheduler.is_free(SWEEP):
            return {}
        self._next_sweep = time.monotonic() + self._settings.prune_every.total_seconds()
        return {SWEEP: [0]}

    def _start(self) -> bool:
        """Give what waits to workers, as far as there are any for it. Returns whether there was something."""
        started = False
        while (turn := self._scheduler.next(self._tasks.most_with)) is not None:
            self._give(turn)
            started = True
        return started

    def _give(self, turn: Assignment) -> None:
        self._workers.start(self._tasks.of(turn), partial(self._tasks.ended, turn))

    def _tell_of_held(self) -> None:
        for turn in self._scheduler.held():
            self._runner.events.emit(HeldUp([*turn.lanes], self._settings.held_limit.total_seconds()))

    def _wait_for_workers(self) -> None:
        if not self._asleep:
            self._wait(BUSY_LOOK)
            return
        began = time.monotonic()
        self._wait(SOON_IDLE)
        if self._scheduler.is_busy and time.monotonic() - began >= SOON_IDLE:
            self._disarm()

    def _sleep(self, connection: Connection) -> None:
        standby = self._lanes.standby(self._due.lanes)
        if not self._due.lanes and self._scheduler.is_quiet:
            self._care.end()
        watched = self._watch(connection)
        if standby is not None:
            # Somebody else works on what is due and will find what comes; no writer needs to wake this server.
            self._disarm()
            self._wait(standby)
        elif not self._asleep:
            limit = self._link.waker.arm()
            self._asleep = limit >= self._settings.safety_poll.total_seconds()
            self._look_again_at = LONG_AGO
            if self._asleep:
                self._runner.events.emit(FellAsleep(self._link.presence.id))
                return  # to look once more: what was saved before writers knew that this server sleeps is found now
            self._wait(limit)
        else:
            self._wait(watched or self._settings.safety_poll.total_seconds())

    def _disarm(self) -> None:
        if self._asleep:
            self._asleep = False
            self._link.waker.disarm()

    def _wait(self, seconds: float) -> None:
        if self._stopping.is_set():
            return  # an earlier wait of this turn may have used up what should wake this one
        if self._due.next_moment is not None:
            until = (self._due.next_moment - self._runner.clock.now()).total_seconds()
            seconds = min(seconds, max(0.0, until))
        held = self._scheduler.until_held()
        if held is not None:
            seconds = min(seconds, held)
        if self._runner.refresher is not None:
            seconds = min(seconds, max(0.0, self._next_proof - time.monotonic()))
        self._pulse.promise(seconds + TURN)
        if self._link.waker.wait(seconds):
            self._noticed = True
            self._lanes.news()

    # What it does beside: it sees to changes that may have been missed, and to the leases of servers that are gone.

    def _prove(self, connection: Connection) -> None:
        """See whether all changes have been captured, of what caches read."""
        if self._runner.refresher is not None and time.monotonic() >= self._next_proof:
            proved = self._runner.refresher.prove(connection)
            pause = self._settings.prove_every if proved else self._settings.standby_poll
            self._next_proof = time.monotonic() + pause.total_seconds()

    def _watch(self, connection: Connection) -> float | None:
        """See whether other servers live, and take over what nobody works on. Returns the seconds after which this must
        be done again because of what they work on; None if nothing needs it."""
        standby = self._settings.standby_poll.total_seconds()
        passed = time.monotonic() - self._watched_at
        if passed < standby:
            return standby - passed  # somebody may have begun a run since
        self._watched_at = time.monotonic()
        self._look_for_crashes(connection)
        if self.leaving.is_drained(connection, self._link.presence.id):
            self._stopping.set()
        watching = leases.any_beside(connection, self._lanes.runs())
        if watching:
            self._adopt(connection)
        if self._runner.refresher is not None:
            living = self._link.presence.living(connection)
            connection.commit()
            me = self._link.presence.id
            watching |= self._runner.refresher.adopt(connection, me, living, self._lanes.claims)
        connection.commit()
        return standby if watching else None

    def _adopt(self, connection: Connection) -> None:
        most = int(not self._scheduler.has_leases) if self._care.is_alone else None
        takes = partial(self._runner.takes, connection)
        for lease in self._link.presence.adopt_orphans(connection, self._lanes.runs, most, takes):
            self._lanes.hold(lease, True)
            self._scheduler.add(lease)
        self._start()

    # What goes wrong.

    def _failed(self, error: Exception, generation: int) -> None:
        """A worker could not go on. What it was doing, and may have leased, is found again at the next look."""
        if self._runner.database.is_contended(error):
            self._runner.events.emit(InTheWay(text_of(error)))
            return
        self._lost.append((error, generation))
        if not self._runner.database.is_lost(error):
            self._runner.events.emit(Broken("a worker", error))

    def _recover(self, error: Exception) -> None:
        if self._runner.database.is_contended(error):
            self._runner.database.give_up(self._link.connection)  # else its transaction would take no more statements
            self._runner.events.emit(InTheWay(text_of(error)))
            self._stopping.wait(FIRST_RETRY)
            return
        if self._runner.database.is_lost(error):
            self._runner.events.emit(DatabaseLost(text_of(error)))
        else:
            self._runner.events.emit(Broken("the server's loop", error))
        self._come_back()

    def _come_back(self) -> bool:
        """Wait for the database, and go on. False if told to stop meanwhile."""
        began = time.monotonic()
        self._bury_from = began + self._settings.lease.total_seconds()
        if not self._open_again():
            return False
        self._workers.reconnect()
        self._runner.events.emit(DatabaseBack(time.monotonic() - began))
        return True

    def _open_again(self) -> bool:
        """Wait for the database, saying nothing more until it is back, or the server is told to stop: then False."""
        self._link.close()
        self._asleep = False
        pause = FIRST_RETRY
        while not self._stopping.wait(pause):
            pause = min(pause * 2, LONGEST_RETRY)
            self._pulse.promise(pause + TURN)
            try:
                self._open()
            except BaseException as error:
                if not self._runner.database.is_its_own(error):
                    self._runner.events.emit(Broken("connecting again", failure_of(error)))
            else:
                return True
        return False

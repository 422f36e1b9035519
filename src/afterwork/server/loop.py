"""The server: looks what is due, gives it to its workers, and sleeps until the next moment or until it is woken."""

import threading
import time
from functools import partial

from sqlalchemy import Connection

from afterwork.events import (
    Broken,
    DatabaseBack,
    DatabaseLost,
    FellAsleep,
    InTheWay,
    ServerStarted,
    ServerStopped,
    ServerStopping,
)
from afterwork.jobs.outcome import text_of
from afterwork.jobs.runner import Runner
from afterwork.jobs.trigger import CACHES, ONCE, TIMERS, Due
from afterwork.model.lane import MAIN, PARALLEL
from afterwork.server.drain import Caution, Drainer
from afterwork.server.health import Health, Prober, Sign, loop_sign, of_server
from afterwork.server.heartbeat import Heartbeat
from afterwork.server.history import HistoryKeeper
from afterwork.server.lanes import Lanes
from afterwork.server.link import Link
from afterwork.server.prune import prune
from afterwork.server.pulse import PRUNING, TURN, Pulse
from afterwork.server.workers import Task, Workers
from afterwork.store import leases
from afterwork.store.leases import Lease

BUSY_LOOK = 0.01
"""While lanes are being drained, the server looks for other work at least this often, in seconds."""

SOON = 1.0
"""Seconds for which a server that stops waits for its history in any case."""

SOON_IDLE = 0.03
"""A server that is done within these seconds doesn't bother to tell writers that it is awake, nor to look for more
meanwhile. What is calculated at once takes up to `Settings.at_once`, and half as long to be taken and stored."""

FIRST_RETRY, LONGEST_RETRY = 0.1, 5.0
"""Seconds between attempts to reach a lost database."""


class Server:
    """One server on one database. `run` is its life; `stop` ends it from any thread."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._settings = runner.settings
        self._stopping = threading.Event()
        self._ready = threading.Event()
        # What runs once comes before all else, also if the server is woken before it has looked.
        first = MAIN if runner.upgrader is None else ONCE
        self._lanes = Lanes(self._settings.standby_poll.total_seconds(), first)
        self._link = Link(runner)
        self._pulse = Pulse()
        self._prober = Prober(runner.database, self._link.wakes)
        self._caution = Caution()
        self._lost: tuple[Exception, int] | None = None
        self._asleep = self._noticed = False
        self._next_prune = self._next_proof = self._watched_at = float("-inf")

    def stop(self) -> None:
        """Begin no more jobs, let those that run end within the set time, and return from `run`."""
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
        if self._link.presence.crashed(self._link.connection):
            self._caution.begin(self._settings.batch)
        self._watched_at = float("-inf")  # leases may be left, also of this server's own that it has lost track of

    def _open_first(self) -> bool:
        """Open; wait for those who are in the way. False if told to stop meanwhile."""
        while not self._stopping.is_set():
            try:
                self._open()
            except Exception as error:
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
        workers = Workers(self._settings.workers, self._runner.database, self._failed)
        heartbeat = Heartbeat(self._runner, presence, self._lanes.runs)
        keeper = HistoryKeeper(self._runner, presence.id)
        self._runner.events.emit(ServerStarted(presence.id, str(self._runner.database)))
        self._ready.set()
        try:
            self._serve(workers)
        finally:
            self._runner.events.emit(ServerStopping(presence.id))
            deadline = time.monotonic() + self._settings.grace.total_seconds()
            unfinished = workers.wait_until_idle(deadline - time.monotonic())
            heartbeat.stop(max(0.0, deadline - time.monotonic()))
            keeper.stop(max(SOON, deadline - time.monotonic()))
            workers.stop()
            if unfinished:
                self._link.close()  # it has not gone in order, and the next server is to see that, as after a crash
            else:
                self._link.leave()
            self._runner.events.emit(ServerStopped(presence.id, unfinished))
        return unfinished

    # Its loop: look, start, wait.

    def _serve(self, workers: Workers) -> None:
        while not self._stopping.is_set():
            try:
                self._turn(self._link.connection, workers)
            except Exception as error:
                self._recover(error, workers)

    def _turn(self, connection: Connection, workers: Workers) -> None:
        self._pulse.promise(TURN)
        if self._lost is not None:
            (error, generation), self._lost = self._lost, None
            if generation == workers.generation:
                raise error
        if self._noticed:
            self._try_recent(workers)
        # Before the first worker begins: to write to a file, this thread would wait for what its workers write.
        self._prune(connection)
        self._prove(connection)
        due = self._runner.due(connection, caches_too=self._lanes.may_start(CACHES))
        if self._start(connection, due, workers) or self._lanes.draining:
            self._watch(connection, workers)
            self._wait_for_workers(due)
        else:
            self._sleep(connection, due, workers)

    def _try_recent(self, workers: Workers) -> None:
        """New work is mostly for the lane that had some before: try that one before looking at all."""
        self._noticed = False
        lane = self._lanes.recent
        if workers.free > 0 and self._lanes.may_start(lane):
            self._lanes.begin(lane)
            workers.start(self._task(lane, None), partial(self._drained, lane))
            self._link.waker.wait(SOON_IDLE)

    def _start(self, connection: Connection, due: Due, workers: Workers) -> int:
        """Give the lanes that are due to workers, as far as there are free ones. Returns to how many."""
        lanes = self._lanes
        if lanes.paused:
            lanes.paused &= leases.paused(connection)
            connection.commit()
        leases.ensure_lanes(connection, due.lanes.keys() - lanes.known - {CACHES, TIMERS, ONCE})
        lanes.known.update(due.lanes)
        wanted = [lane for lane in due.lanes if lanes.may_start(lane)][: workers.free]
        for lane in wanted:
            lanes.begin(lane)
            workers.start(self._task(lane, due.lanes[lane][0]), partial(self._drained, lane))
        return len(wanted)

    def _task(self, lane: str, priority: int | None) -> Task:
        beside = {CACHES: self._refresh, TIMERS: self._fire, ONCE: self._upgrade}
        return beside.get(lane) or partial(self._drain, lane, priority)

    def _wait_for_workers(self, due: Due) -> None:
        if not self._asleep:
            self._wait(due, BUSY_LOOK)
            return
        began = time.monotonic()
        self._wait(due, SOON_IDLE)
        if self._lanes.draining and time.monotonic() - began >= SOON_IDLE:
            self._disarm()

    def _sleep(self, connection: Connection, due: Due, workers: Workers) -> None:
        standby = self._lanes.standby(due.lanes)
        watched = self._watch(connection, workers)
        if standby is not None:
            # Somebody else works on what is due and will find what comes; no writer needs to wake this server.
            self._disarm()
            self._wait(due, standby)
        elif not self._asleep:
            limit = self._link.waker.arm()
            self._asleep = limit >= self._settings.safety_poll.total_seconds()
            if self._asleep:
                self._runner.events.emit(FellAsleep(self._link.presence.id))
                return  # to look once more: what was saved before writers knew that this server sleeps is found now
            self._wait(due, limit)
        else:
            self._wait(due, watched or self._settings.safety_poll.total_seconds())

    def _disarm(self) -> None:
        if self._asleep:
            self._asleep = False
            self._link.waker.disarm()

    def _wait(self, due: Due, seconds: float) -> None:
        if self._stopping.is_set():
            return  # an earlier wait of this turn may have used up what should wake this one
        if due.next_moment is not None:
            until = (due.next_moment - self._runner.clock.now()).total_seconds()
            seconds = min(seconds, max(0.0, until))
        if self._runner.refresher is not None:
            seconds = min(seconds, max(0.0, self._next_proof - time.monotonic()))
        self._pulse.promise(seconds + TURN)
        if self._link.waker.wait(seconds):
            self._noticed = True
            self._lanes.news()

    # What it does beside: receipts, and the leases of servers that are gone.

    def _prune(self, connection: Connection) -> None:
        if time.monotonic() >= self._next_prune:
            self._next_prune = time.monotonic() + self._settings.prune_every.total_seconds()
            self._pulse.promise(PRUNING)
            prune(self._runner, connection)
            self._pulse.promise(TURN)

    def _prove(self, connection: Connection) -> None:
        """See whether all changes have been captured, of what caches read."""
        if self._runner.refresher is not None and time.monotonic() >= self._next_proof:
            proved = self._runner.refresher.prove(connection)
            pause = self._settings.prove_every if proved else self._settings.standby_poll
            self._next_proof = time.monotonic() + pause.total_seconds()

    def _watch(self, connection: Connection, workers: Workers) -> float | None:
        """See whether other servers live, and take over what nobody works on. Returns the seconds after which this must
        be done again because of what they work on; None if nothing needs it."""
        standby = self._settings.standby_poll.total_seconds()
        passed = time.monotonic() - self._watched_at
        if passed < standby:
            return standby - passed  # somebody may have begun a run since
        self._watched_at = time.monotonic()
        if self._link.presence.crashed(connection):
            self._caution.begin(self._settings.batch)
        watching = leases.any_beside(connection, self._lanes.runs())
        if watching:
            self._adopt(connection, workers)
        if self._runner.refresher is not None:
            living = self._link.presence.living(connection)
            connection.commit()
            me = self._link.presence.id
            watching |= self._runner.refresher.adopt(connection, me, living, self._lanes.claims)
        connection.commit()
        return standby if watching else None

    def _adopt(self, connection: Connection, workers: Workers) -> None:
        for lease in self._link.presence.adopt_orphans(connection, self._lanes.runs):
            self._lanes.begin(lease.lane)
            self._lanes.hold(lease, True)
            workers.start(partial(self._resume, lease), partial(self._resumed, lease))

    # What its workers do.

    def _drain(self, lane: str, priority: int | None, connection: Connection) -> None:
        ran = False
        try:
            for settled in self._drainer().drain(connection, lane, priority):
                ran = ran or bool(settled)
                if self._stopping.is_set():
                    break
                if settled and lane == PARALLEL:
                    self._link.wake()  # there may be more, for another worker
        finally:
            if ran or priority is not None:
                self._note(connection, lane, ran)

    def _refresh(self, connection: Connection) -> None:
        assert self._runner.refresher is not None
        ran = False
        try:
            for settled in self._runner.refresher.refresh(connection, self._link.presence.id, self._lanes.claim):
                self._runner.report_runs(settled)
                ran = ran or bool(settled)
                if self._stopping.is_set():
                    break
        finally:
            if ran:
                self._lanes.obtained(CACHES)

    def _upgrade(self, connection: Connection) -> None:
        assert self._runner.upgrader is not None
        ran = False
        for upgraded in self._runner.upgrader.upgrade(connection, self._link.presence.id, self._lanes.hold):
            ran = True
            self._runner.report_runs(upgraded)
            if self._stopping.is_set():
                break
        if ran:
            self._lanes.obtained(ONCE)
        else:
            self._lanes.is_elsewhere(ONCE)  # another server is at it

    def _fire(self, connection: Connection) -> None:
        assert self._runner.firer is not None
        fired = False
        for _ in self._runner.firer.fire(connection):
            fired = True
            if self._stopping.is_set():
                break
        if not fired:
            self._lanes.is_elsewhere(TIMERS)  # another server has just fired what was due

    def _drained(self, lane: str) -> None:
        self._lanes.end(lane)
        self._link.wake()

    def _note(self, connection: Connection, lane: str, ran: bool) -> None:
        if ran:
            self._lanes.obtained(lane)
            return
        if connection.invalidated:
            self._lanes.is_elsewhere(lane)
        # What was due at the last look may have been done since, by this server itself.
        elif lane in self._runner.due(connection).lanes:
            self._lanes.is_elsewhere(lane)
            if lane in leases.paused(connection):
                self._lanes.paused.add(lane)

    def _resume(self, lease: Lease, connection: Connection) -> None:
        self._drainer().resume(connection, lease)

    def _resumed(self, lease: Lease) -> None:
        self._lanes.hold(lease, False)
        self._drained(lease.lane)

    def _drainer(self) -> Drainer:
        return Drainer(self._runner, self._link.presence.id, self._caution, self._lanes.hold)

    # What goes wrong.

    def _failed(self, error: Exception, generation: int) -> None:
        """A worker could not go on. What it was doing, and may have leased, is found again at the next look."""
        if self._runner.database.is_lost(error):
            self._lost = error, generation
        elif self._runner.database.is_contended(error):
            self._runner.events.emit(InTheWay(text_of(error)))
        else:
            self._runner.events.emit(Broken("a worker", error))

    def _recover(self, error: Exception, workers: Workers) -> None:
        if self._runner.database.is_contended(error):
            self._runner.events.emit(InTheWay(text_of(error)))
            self._stopping.wait(FIRST_RETRY)
            return
        if self._runner.database.is_lost(error):
            self._runner.events.emit(DatabaseLost(text_of(error)))
        else:
            self._runner.events.emit(Broken("the server's loop", error))
        began = time.monotonic()
        if self._open_again():
            workers.reconnect()
            self._runner.events.emit(DatabaseBack(time.monotonic() - began))

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
            except Exception as error:
                if not self._runner.database.is_its_own(error):
                    self._runner.events.emit(Broken("connecting again", error))
            else:
                return True
        return False

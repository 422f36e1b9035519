"""Run derived view models, and move machines: one transaction, which sees one state of the database, and writes.

It can't be split as a calculation can: what such a run writes depends on what it has read, also of the rows that it
writes. If somebody changes those meanwhile, the transaction is refused, and the run repeated.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Mapper

from afterwork.boundary import CONTAINED
from afterwork.clock import Clock, telling_time
from afterwork.derived.compute.next_runs import CommitCheck, NextRuns, pause_after
from afterwork.derived.compute.results import ReadKeys
from afterwork.derived.compute.root_visibility import RootReads, RootVisibility
from afterwork.derived.compute.written_columns import noting_writes
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import RunResult
from afterwork.derived.queue.due_cache import ClaimedBatch, ClaimedCache, DueEntry
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import LaneTaken
from afterwork.jobs.perform import RunContext, perform, tell
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Raised, Run, running, text_of, trace_of
from afterwork.jobs.session import RunSession, ended
from afterwork.jobs.time_limits import TimeLimits
from afterwork.model.derivation import MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.external_id import parse
from afterwork.model.work import ViewModelWork
from afterwork.saving.machine.play import Play
from afterwork.store import leases
from afterwork.store.caches.manifests import digest
from afterwork.store.database import CommitLimit


@dataclass
class ActionAttempt:
    """An attempt, with what it has seen and read so far.

    `root_reads` are the reads of the object itself, `written` the columns of tracked tables that it has written.
    `is_loadable` is False once loading the object has failed.
    """

    connection: Connection
    batch: ClaimedBatch
    run: Run
    now: datetime
    abandoned: Callable[[Connection, Exception], object]
    """Settles the cache with an error, on another connection, if its thread is abandoned."""
    snapshot: Any = None
    recorder: Recorder | None = None
    root_reads: Reads = field(default_factory=Reads)
    is_loadable: bool = True
    written: Mapping[int, int] = field(default_factory=dict)
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
        return self.derivation.key_of(self.claimed.root)

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.began

    @property
    def reads(self) -> Reads:
        """All reads so far. Collected anew each time."""
        reads = Reads() if self.recorder is None else self.recorder.reads()
        reads.add_all(self.root_reads)
        return reads


@dataclass(frozen=True)
class ActionRunner:
    """Runs view models and moves machines, each on one object."""

    matcher: Matcher
    read_keys: ReadKeys
    next_runs: NextRuns
    commit_check: CommitCheck
    clock: Clock
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[RunSession], Recorder]
    root_reads_of: Callable[[RegisteredDerivation], RootReads]
    time_limits: TimeLimits

    def run(self, attempt: ActionAttempt) -> Raised | None:
        """Run the one cache of a batch. Returns the error of its code, once that is stored.

        Raises errors of the database; the claim remains then.
        """
        try:
            with CONTAINED:
                keys = self._run_in_transaction(attempt)
        except Exception as error:
            if attempt.recorder is None or self.matcher.database.is_not_the_jobs(error):
                raise
            return self._fail(attempt, error)
        if keys is not None:
            self.matcher.patterns.load(attempt.connection)
            if isinstance(attempt.declared, ViewModelDerivation):
                self.matcher.registry.learn_writes(attempt.derivation.id, attempt.written)
            self.read_keys.learn(attempt.connection, attempt.derivation, keys)
            if not self.matcher.database.has_one_writer:
                self.commit_check.check(attempt.connection, attempt.batch.claim)
        return None

    def reads_of_never_run(
        self, connection: Connection, derivation: RegisteredDerivation, claimed: ClaimedCache
    ) -> Reads:
        """Return the reads for a cache that was given up before it ever ran: its object, whose change makes it run."""
        root = parse(claimed.root, self.classes)
        with ended(RunSession(connection)) as session:
            recorder = self.recorder(session)
            recorder.root_not_loaded(root.mapper, root.key)
            reads = recorder.reads()
            self.root_reads_of(derivation).add(reads, root.key, connection)
        return reads

    def _run_in_transaction(self, attempt: ActionAttempt) -> set[int] | None:
        """Run, and store all effects. Returns the manifest; None if the object is gone."""
        connection, lane = attempt.connection, attempt.declared.lane
        if lane is not None:
            leases.ensure_lanes(connection, [lane])
        with self.matcher.database.watched_transaction(connection, self._commit_limit(attempt)) as attempt.snapshot:
            if lane is not None and not leases.lock_lane(connection, lane):
                raise LaneTaken(lane)
            if not self._perform(attempt) and self._drop_if_gone(attempt):
                return None
            keys = self._store(attempt)
            self.matcher.reached("before commit", attempt.derivation.name)
        self.matcher.reached("after commit", attempt.derivation.name)
        return keys

    def _perform(self, attempt: ActionAttempt) -> bool:
        with ended(RunSession(attempt.connection)) as session:
            attempt.recorder = self.recorder(session)
            with self._limit(attempt):
                obj = self._seen(attempt, session)
                if obj is None:
                    return False
                with noting_writes(session, self.matcher.patterns.tables) as attempt.written:
                    with telling_time(self.clock), attempt.recorder.recording():
                        _act(attempt, obj, RunContext(session), attempt.recorder)
                    session.flush()
        self.matcher.reached("ran", attempt.derivation.name)
        return True

    def _seen(self, attempt: ActionAttempt, session: RunSession) -> object | None:
        """Return the object; None if it isn't seen. Either way, what shows that is read."""
        visibility = RootVisibility(session, self.roots.is_plain)
        obj = self._load(attempt, session)
        root_reads = self.root_reads_of(attempt.derivation)
        root_reads.add(attempt.root_reads, attempt.key, attempt.connection, visibility=visibility)
        return obj

    def _commit_limit(self, attempt: ActionAttempt) -> CommitLimit:
        return partial(self.time_limits.of_calculation, attempt.declared.timeout)

    def _limit(self, attempt: ActionAttempt) -> AbstractContextManager[object]:
        timeout = self.time_limits.of_calculation(attempt.declared.timeout)
        return self.time_limits.over(attempt.connection, attempt.run, timeout, attempt.abandoned)

    def _drop_if_gone(self, attempt: ActionAttempt) -> bool:
        """Drop the cache of an unseen object that is gone. The cache of a hidden one stays, and rests."""
        if attempt.derivation.objects.existing(attempt.connection, [attempt.key]):
            return False
        self.matcher.cache_rows.drop(attempt.connection, [attempt.claimed.cache])
        return True

    def _store(self, attempt: ActionAttempt) -> set[int]:
        connection, batch, reads = attempt.connection, attempt.batch, attempt.reads
        keys = self.matcher.patterns.read_keys_in_transaction(connection, reads)
        seen, own_tx = self.matcher.entries.seen_by_writer(connection, attempt.snapshot)
        self._write_row(
            attempt, keys, RunResult(attempt.claimed, seen, digest(keys), attempt.now, attempt.seconds, own_tx=own_tx)
        )
        if self.matcher.database.has_one_writer:  # nobody can have changed anything meanwhile
            cache = attempt.claimed.cache
            self.matcher.due_queue.end(connection, batch, [cache])
            entries = self.next_runs.after_success(attempt.derivation, cache, None, reads.valid_until)
            self.matcher.due_queue.enqueue(connection, entries)
        else:
            self.matcher.due_queue.stored(connection, batch, reads.valid_until)
        return keys

    def _write_row(self, attempt: ActionAttempt, keys: set[int], result: RunResult) -> None:
        self.matcher.cache_rows.ran(attempt.connection, [result])
        if result.digest != attempt.claimed.digest:
            self.matcher.manifest_store.save(attempt.connection, {attempt.claimed.cache: keys})

    def _fail(self, attempt: ActionAttempt, error: Exception) -> Raised:
        """After the rollback, tell the view model, and store its reads, so that changes of them run it again."""
        raised = Raised(text_of(error), None, attempt.seconds, trace_of(error))
        keys = self.read_keys.of(attempt.connection, attempt.derivation, attempt.reads)
        try:
            with CONTAINED:
                self._store_failure(attempt, keys, raised, error if attempt.is_loadable else None)
        except Exception as second:
            if self.matcher.database.is_not_the_jobs(second):
                raise
            raised = raised.with_second(second)
            self._store_failure(attempt, keys, raised, None)
        return raised

    def _store_failure(self, attempt: ActionAttempt, keys: set[int], raised: Raised, to_tell: Exception | None) -> None:
        connection, claimed = attempt.connection, attempt.claimed
        limit = self._commit_limit(attempt)
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end, limit):
            if to_tell is not None:
                self._tell(attempt, to_tell, raised.error)
            if not self.matcher.due_queue.end(connection, attempt.batch, [claimed.cache]):
                return
            self._write_row(
                attempt,
                keys,
                RunResult(claimed, attempt.snapshot, digest(keys), attempt.now, attempt.seconds, raised.error),
            )
            stale = self.next_runs.born_stale(connection, attempt.snapshot, {claimed.cache: keys})
            self.matcher.due_queue.enqueue(connection, [_next_attempt(attempt, is_stale=bool(stale))])

    def tell_abandoned(self, attempt: ActionAttempt, error: Exception) -> None:
        """Tell a view model, in a transaction of its own, that its run was abandoned."""
        if isinstance(attempt.declared, ViewModelDerivation) and attempt.declared.view_model.exception_handler:
            limit = self._commit_limit(attempt)
            with CONTAINED, self.matcher.database.transaction(attempt.connection, limit=limit):
                self._tell(attempt, error, text_of(error))

    def _tell(self, attempt: ActionAttempt, error: Exception, text: str) -> None:
        if not isinstance(attempt.declared, ViewModelDerivation):
            return
        timeout = self.time_limits.of_hook(attempt.declared.timeout)
        limit = self.time_limits.over(
            attempt.connection, attempt.run, timeout, lambda connection, _: attempt.abandoned(connection, error)
        )
        with ended(RunSession(attempt.connection)) as session, limit:
            obj = self._load(attempt, session)
            if obj is not None:
                tell(_work(attempt.declared), obj, attempt.run, RunContext(session), (error, text))
                session.flush()

    def _load(self, attempt: ActionAttempt, session: RunSession) -> object | None:
        """Return the object; None if it isn't seen. One that can't be loaded is tried again when its rows change."""
        root = parse(attempt.claimed.root, self.classes)
        try:
            with CONTAINED:
                return self.roots.load(session, [root]).get(root)
        except Exception:
            attempt.is_loadable = False
            if attempt.recorder is not None:
                attempt.recorder.root_not_loaded(root.mapper, root.key)
            self.root_reads_of(attempt.derivation).add(attempt.root_reads, root.key, session.connection())
            raise


def _next_attempt(attempt: ActionAttempt, *, is_stale: bool) -> DueEntry:
    """Return when a run that raised is tried again: at once if something that it read has changed meanwhile."""
    claimed, until = attempt.claimed, attempt.reads.valid_until
    later = attempt.now + pause_after(claimed.attempts, attempt.seconds)
    due = attempt.now if is_stale else later if until is None else min(later, until)
    return DueEntry(
        claimed.cache, attempt.derivation.id, due, attempt.now, claimed.cause, attempts=claimed.attempts + 1
    )


def _act(attempt: ActionAttempt, obj: object, context: RunContext, recorder: Recorder) -> None:
    match attempt.declared:
        case ViewModelDerivation() as view_model:
            perform(_work(view_model), obj, attempt.run, context)
        case MachineDerivation(machine=machine):
            with running(attempt.run):
                play = Play(machine, obj, moving=untracked)
                play.go_on()
                recorder.restart()  # only the reasons to stay in the state it has reached are reasons to look again
                play.enabled()


def _work(derivation: ViewModelDerivation) -> ViewModelWork:
    return ViewModelWork(derivation.name, derivation.root.class_, derivation.view_model)

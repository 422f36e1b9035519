"""Running view models that are caches, and moving machines: one transaction, which sees one state of the database, and
writes.

It can't be split as a calculation can: what such a run writes depends on what it has read, also of the rows that it
writes. If somebody changes those meanwhile, the transaction is refused, and the run repeated.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Mapper

from afterwork.boundary import CONTAINED
from afterwork.clock import telling_time
from afterwork.derived.cause import Cause, written
from afterwork.derived.compute.result_store import ResultStore, pause_after
from afterwork.derived.compute.root_visibility import RootReads, RootVisibility
from afterwork.derived.manifest.manifest_store import digest
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_rows import RunResult
from afterwork.derived.queue.due_queue import ClaimedBatch, ClaimedCache, DueMark
from afterwork.derived.queue.registry import RegisteredDerivation
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import LaneTaken
from afterwork.jobs.outcome import Raised, text_of, trace_of
from afterwork.jobs.perform import RunContext, perform, tell
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Run, running
from afterwork.jobs.session import RunSession
from afterwork.model.derivation import MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.external_id import parse
from afterwork.model.work import ViewModelWork
from afterwork.saving.machine.play import Play
from afterwork.store import leases


@dataclass
class Attempt:
    """One attempt to run a view model on one object: what it has seen and read so far; of the object `itself`, too.
    `is_loaded` says that the object can be loaded, as far as is known."""

    derivation: RegisteredDerivation
    batch: ClaimedBatch
    run: Run
    now: datetime
    snapshot: Any = None
    recorder: Recorder | None = None
    root_reads: Reads = field(default_factory=Reads)
    is_loaded: bool = True
    began: float = field(default_factory=time.perf_counter)

    @property
    def claimed(self) -> ClaimedCache:
        return self.batch.caches[0]

    @property
    def cache(self) -> ViewModelDerivation | MachineDerivation:
        assert not isinstance(self.derivation.declaration, MemberDerivation)
        return self.derivation.declaration

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return time.perf_counter() - self.began

    @property
    def reads(self) -> Reads:
        found = Reads() if self.recorder is None else self.recorder.reads()
        found.add_all(self.root_reads)
        return found


@dataclass(frozen=True)
class ActionRunner:
    """Runs view models, each on one object."""

    matcher: Matcher
    result_store: ResultStore
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[RunSession], Recorder]
    root_reads_of: Callable[[RegisteredDerivation], RootReads]

    def renew(self, connection: Connection, attempt: Attempt) -> Raised | None:
        """Run the one cache of a batch. Returns what its code raised, once that is written down.

        Raises errors of the database; the claim remains then.
        """
        try:
            with CONTAINED:
                tokens = self._transaction(connection, attempt)
        except Exception as error:
            if attempt.recorder is None or self.matcher.database.is_not_the_jobs(error):
                raise
            return self._fail(connection, attempt, error)
        if tokens is not None:
            self.matcher.patterns.load(connection)
            self.result_store.learn(connection, attempt.derivation, tokens)
            if self.matcher.database.dialect == "postgresql":
                self.check(connection, attempt.batch.claim)
        return None

    def check(self, connection: Connection, claim: str) -> None:
        """After the commit of a run: see whether something has changed while it ran, and end its claim."""
        learned: list[tuple[RegisteredDerivation, set[int]]] = []
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            finished = self.matcher.due_queue.finish(connection, claim)
            if finished:
                self.matcher.patterns.load(connection)  # the run may have been another server's
            for stored in finished:
                seen = self.matcher.cache_rows.seen(connection, stored.cache)
                tokens = set(self.matcher.manifest_store.read_keys(connection, [stored.cache]).get(stored.cache, ()))
                stale = self.result_store.born_stale(connection, seen.snapshot, {stored.cache: tokens}, seen.own)
                definition = self.matcher.registry.by_id.get(stored.derivation)
                if definition is None:  # a server with another model has left it
                    mark = DueMark(
                        stored.cache,
                        stored.derivation,
                        now := self.result_store.clock.now(),
                        now,
                        written(Cause("new")),
                    )
                    self.matcher.due_queue.mark(connection, [mark])
                else:
                    why = stale.get(stored.cache, stored.marked)
                    self._go_on(connection, definition, stored.cache, why, stored.until)
                    learned.append((definition, tokens))
        for definition, tokens in learned:
            self.result_store.learn(connection, definition, tokens)

    def never_run(self, connection: Connection, definition: RegisteredDerivation, claimed: ClaimedCache) -> Reads:
        """Return why a cache that could never run is to be tried again: its object has changed."""
        root = parse(claimed.root, self.classes)
        with self._session(connection) as session:
            recorder = self.recorder(session)
            recorder.root_not_loaded(root.mapper, root.key)
            reads = recorder.reads()
            self.root_reads_of(definition).add(reads, root.key, connection)
        return reads

    def _transaction(self, connection: Connection, attempt: Attempt) -> set[int] | None:
        """The run itself, with all that it leaves. Returns its manifest; None if the object is not there any more."""
        lane = attempt.cache.lane
        if lane is not None:
            leases.ensure_lanes(connection, [lane])
        with self.matcher.database.watched_transaction(connection) as attempt.snapshot:
            if lane is not None and not leases.lock_lane(connection, lane):
                raise LaneTaken(lane)
            if not self._perform(connection, attempt) and self._is_gone(connection, attempt):
                return None
            reads = attempt.reads
            tokens = self.matcher.patterns.read_keys_in_transaction(connection, reads)
            seen, own = self.matcher.entries.seen_by_writer(connection, attempt.snapshot)
            self._leave(connection, attempt, seen, own, tokens, None)
            if self.matcher.database.dialect == "postgresql":
                self.matcher.due_queue.stored(connection, attempt.batch, reads.valid_until)
            else:  # nobody can have changed anything meanwhile
                self.matcher.due_queue.end(connection, attempt.batch, [attempt.claimed.cache])
                self._go_on(connection, attempt.derivation, attempt.claimed.cache, None, reads.valid_until)
            self.matcher.reached("before commit", attempt.derivation.name)
        self.matcher.reached("after commit", attempt.derivation.name)
        return tokens

    def _is_gone(self, connection: Connection, attempt: Attempt) -> bool:
        """Whether an object that was not seen is gone. Its cache is, then. Of one that is hidden, it rests."""
        key = attempt.derivation.key_of(attempt.claimed.root)
        if attempt.derivation.objects.existing(connection, [key]):
            return False
        self.matcher.cache_rows.drop(connection, [attempt.claimed.cache])
        return True

    def _perform(self, connection: Connection, attempt: Attempt) -> bool:
        with self._session(connection) as session:
            sight = RootVisibility(session, self.roots.is_plain)
            attempt.recorder = self.recorder(session)
            obj = self._loaded(attempt, session)
            key = attempt.derivation.key_of(attempt.claimed.root)
            self.root_reads_of(attempt.derivation).add(attempt.root_reads, key, connection, sight)
            if obj is None:
                return False
            with telling_time(self.result_store.clock), attempt.recorder.recording():
                _act(attempt, obj, RunContext(session), attempt.recorder)
            session.flush()
        self.matcher.reached("ran", attempt.derivation.name)
        return True

    def _loaded(self, attempt: Attempt, session: RunSession) -> object | None:
        """The object, as far as it is seen. One that can't be loaded is tried again when its rows change."""
        root = parse(attempt.claimed.root, self.classes)
        try:
            with CONTAINED:
                return self.roots.load(session, [root]).get(root)
        except Exception:
            attempt.is_loaded = False
            if attempt.recorder is not None:
                attempt.recorder.root_not_loaded(root.mapper, root.key)
            self.root_reads_of(attempt.derivation).add(attempt.root_reads, root.key, session.connection())
            raise

    def _leave(
        self, connection: Connection, attempt: Attempt, seen: Any, own: int | None, tokens: set[int], raised: str | None
    ) -> None:
        claimed, number = attempt.claimed, digest(tokens)
        self.matcher.cache_rows.ran(
            connection, [RunResult.of_run(claimed, seen, own, number, attempt.now, attempt.seconds, raised)]
        )
        if number != claimed.digest:
            self.matcher.manifest_store.save(connection, {claimed.cache: tokens})

    def _go_on(
        self,
        connection: Connection,
        definition: RegisteredDerivation,
        cache: int,
        stale: str | None,
        until: datetime | None,
    ) -> None:
        marks = self.result_store.next_marks(definition, cache, stale, until)
        self.matcher.due_queue.mark(connection, marks)

    def _fail(self, connection: Connection, attempt: Attempt, error: Exception) -> Raised:
        """After the rollback: tell the view model, and write what it had read, so that changes of that run it again."""
        raised = Raised(text_of(error), None, attempt.seconds, trace_of(error))
        tokens = self.result_store.read_keys(connection, attempt.derivation, attempt.reads)
        try:
            with CONTAINED:
                self._write_failure(connection, attempt, tokens, raised, error if attempt.is_loaded else None)
        except Exception as second:
            if self.matcher.database.is_not_the_jobs(second):
                raise
            raised = raised.with_second(second)
            self._write_failure(connection, attempt, tokens, raised, None)
        return raised

    def _write_failure(
        self, connection: Connection, attempt: Attempt, tokens: set[int], raised: Raised, telling: Exception | None
    ) -> None:
        claimed, definition = attempt.claimed, attempt.derivation
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            if telling is not None:
                self._tell(connection, attempt, telling, raised.text)
            if not self.matcher.due_queue.end(connection, attempt.batch, [claimed.cache]):
                return
            self._leave(connection, attempt, attempt.snapshot, None, tokens, raised.text)
            stale = self.result_store.born_stale(connection, attempt.snapshot, {claimed.cache: tokens})
            later = attempt.now + pause_after(claimed.attempts)
            until = attempt.reads.valid_until
            again = attempt.now if stale else later if until is None else min(later, until)
            mark = DueMark(
                claimed.cache, definition.id, again, attempt.now, claimed.cause, attempts=claimed.attempts + 1
            )
            self.matcher.due_queue.mark(connection, [mark])

    def _tell(self, connection: Connection, attempt: Attempt, error: Exception, text: str) -> None:
        with self._session(connection) as session:
            obj = self._loaded(attempt, session)
            if obj is not None and isinstance(attempt.cache, ViewModelDerivation):
                tell(_work(attempt.cache), obj, attempt.run, RunContext(session), error, text)
                session.flush()

    @contextmanager
    def _session(self, connection: Connection) -> Iterator[RunSession]:
        session = RunSession(connection)
        try:
            yield session
        finally:
            session.end()


def _act(attempt: Attempt, obj: object, given: RunContext, recorder: Recorder) -> None:
    match attempt.cache:
        case ViewModelDerivation() as cache:
            perform(_work(cache), obj, attempt.run, given)
        case MachineDerivation(machine=machine):
            with running(attempt.run):
                play = Play(machine, obj, moving=untracked)
                play.go_on()
                recorder.restart()  # only why it stays where it has come to is a reason to look again
                play.enabled()


def _work(cache: ViewModelDerivation) -> ViewModelWork:
    return ViewModelWork(cache.name, cache.root.class_, cache.view_model)

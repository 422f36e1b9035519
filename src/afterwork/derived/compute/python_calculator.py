"""Calculate derived members in Python: each value in one state of the database, with what was read for it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, RelationshipProperty

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.calculation import Calculation
from afterwork.derived.compute.results import CalculationResult
from afterwork.derived.compute.root_visibility import RootReads, RootVisibility
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.due_cache import ClaimedCache
from afterwork.derived.tracking.batch_loading import BatchLoader
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import AfterworkError, TransactionIsTheRuns
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Run, running
from afterwork.jobs.session import LoadSession, ReadSession
from afterwork.model.external_id import ExternalId, parse


@dataclass
class _Progress:
    """The state of one calculation, also of one that fails halfway."""

    obj: object | None = None
    value: Any = None
    stored: Any = None
    error: Exception | None = None

    @property
    def has_ended_transaction(self) -> bool:
        """True if nothing more can be asked: the database has failed, or the function has ended the transaction."""
        return isinstance(self.error, DBAPIError | TransactionIsTheRuns)


@dataclass(frozen=True)
class PythonCalculator:
    """Calculates the values of one derivation in Python."""

    calculation: Calculation
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[ReadSession, Prototypes | None], Recorder]
    batch_loader_of: Callable[[RelationshipProperty[Any]], BatchLoader | None]
    root_reads: RootReads
    run_of: Callable[[ClaimedCache], Run]

    def calculate(
        self, connection: Connection, claimed: Sequence[ClaimedCache], max_seconds: float
    ) -> Iterator[CalculationResult]:
        """Calculate one value after the other, until `max_seconds` have passed.

        An error of the database ends it, too, and a function that has ended the transaction: the results before that
        one are right.
        """
        began = time.monotonic()
        roots = [parse(cache.root, self.classes) for cache in claimed]
        with self._loaded(connection, roots) as loaded:
            for cache, root in zip(claimed, roots, strict=True):
                session = ReadSession(connection)
                try:
                    # In a context of its own, a function leaves nothing in context variables either.
                    result = copy_context().run(self._calculate, session, cache, root, loaded)
                    is_over = result.error is not None and session.is_rolled_back
                finally:
                    session.end()
                yield result
                if is_over or time.monotonic() - began > max_seconds:
                    return

    def failed(self, connection: Connection, claimed: ClaimedCache, error: Exception) -> CalculationResult:
        """Return the result for an object that can't be loaded. When its rows change, it is tried again."""
        root = parse(claimed.root, self.classes)
        session = ReadSession(connection)
        try:
            recorder = self.recorder(session, None)
            recorder.root_not_loaded(root.mapper, root.key)
            reads = recorder.reads()
            self.root_reads.add(reads, root.key, connection)
            return CalculationResult(claimed, root, reads=reads, error=error)
        finally:
            session.end()

    @contextmanager
    def _loaded(self, connection: Connection, ids: Sequence[ExternalId]) -> Iterator["RootsTogether | RootsAlone"]:
        """Load many roots together; each calculation works on copies, in a session of its own.

        A single root is loaded in its own session, and so are all if they can't be loaded together.
        """
        session = LoadSession(connection)
        try:
            prototypes = Prototypes(session, self.batch_loader_of)
            visibility = RootVisibility(session, self.roots.is_plain)
            together = len(ids) > 1 and prototypes.load(lambda loader: self.roots.load(loader, ids).values())
            yield RootsTogether(prototypes, visibility) if together else RootsAlone(self.roots)
        finally:
            session.end()

    def _calculate(
        self, session: ReadSession, claimed: ClaimedCache, root: ExternalId, loaded: "RootsTogether | RootsAlone"
    ) -> CalculationResult:
        visibility = loaded.visibility_in(session)
        recorder = self.recorder(session, loaded.prototypes)
        recorder.result_member = None if self.calculation.own is None else (_identity(root), self.calculation.own)
        began = time.perf_counter()
        progress = self._run(session, claimed, recorder, lambda: loaded.root(session, root))
        if progress.obj is None and progress.error is not None:
            recorder.root_not_loaded(root.mapper, root.key)
        seconds, reads = time.perf_counter() - began, recorder.reads()
        untracked = self._add_root(reads, root, session, None if progress.has_ended_transaction else visibility)
        error = progress.error or untracked
        if error is not None:
            return CalculationResult(claimed, root, reads=reads, error=error, seconds=seconds)
        if progress.obj is None:
            return CalculationResult(claimed, None, reads=reads)
        is_new = self.calculation.is_new(progress.stored, progress.value)
        return CalculationResult(claimed, root, progress.value, progress.stored, is_new, reads, seconds=seconds)

    def _run(
        self, session: ReadSession, claimed: ClaimedCache, recorder: Recorder, load: Callable[[], object | None]
    ) -> _Progress:
        progress = _Progress()
        try:
            with CONTAINED, running(self.run_of(claimed)), recorder.recording():
                progress.obj = load()
                if progress.obj is not None:
                    progress.stored = self.calculation.stored(progress.obj)
                    progress.value = self.calculation.calculate(progress.obj)
            with CONTAINED:
                session.flush()  # which refuses, if there is anything to flush
                progress.value = None if progress.obj is None else self.calculation.check(progress.value)
        except Exception as error:
            progress.error = error
        return progress

    def _add_root(
        self, reads: Reads, root: ExternalId, session: ReadSession, visibility: RootVisibility | None
    ) -> Exception | None:
        """Add the reads of the object itself. Returns the error if they can't be tracked."""
        try:
            self.root_reads.add(reads, root.key, session.outer, visibility)
        except AfterworkError as error:
            return error
        return None


@dataclass(frozen=True)
class RootsTogether:
    """Roots that were loaded together, with the statement that did so."""

    prototypes: Prototypes
    visibility: RootVisibility

    def visibility_in(self, session: ReadSession) -> RootVisibility:
        """Return how the root of a session is asked for."""
        return self.visibility

    def root(self, session: ReadSession, wanted: ExternalId) -> object | None:
        """Return the root in this session; None if it can't be seen."""
        return self.prototypes.give(_identity(wanted), session)


@dataclass(frozen=True)
class RootsAlone:
    """Roots that are loaded each in the session of its own calculation."""

    roots: Roots
    prototypes: None = None

    def visibility_in(self, session: ReadSession) -> RootVisibility:
        """Return how the root of a session is asked for."""
        return RootVisibility(session, self.roots.is_plain)

    def root(self, session: ReadSession, wanted: ExternalId) -> object | None:
        """Return the root in this session; None if it can't be seen."""
        return self.roots.load(session, [wanted]).get(wanted)


def _identity(root: ExternalId) -> tuple[Any, ...]:
    return root.mapper.identity_key_from_primary_key(root.key)

"""Calculate derived members in Python: each value in one state of the database, with what was read for it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_dict

from afterwork.boundary import CONTAINED
from afterwork.compat.sqlalchemy_errors import is_refusal
from afterwork.derived.compute.result_check import checked, is_same
from afterwork.derived.compute.results import CalculationResult, Limited, unlimited
from afterwork.derived.compute.root_visibility import RootReads, RootVisibility, RowKeys
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.queue.due_cache import ClaimedCache
from afterwork.derived.tracking.batch_loading import BatchLoader
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import AfterworkError, TimedOut, TransactionIsTheRuns
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Run, running
from afterwork.jobs.session import LoadSession, ReadSession, ended
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation, ViewModelDerivation
from afterwork.model.external_id import ExternalId, parse
from afterwork.saving.machine.play import Play


class _Unreadable:
    def __repr__(self) -> str:
        return "what can't be read"


UNREADABLE = _Unreadable()
"""Stands for a stored value that can't be read. It differs from any result, which then takes its place."""


@dataclass(frozen=True)
class MemberValue:
    """Calculates the value of a derived member. Whatever is read is a reason to calculate again."""

    derivation: MemberDerivation

    @property
    def own(self) -> str | None:
        """The member that must not be read, since it is the one being calculated."""
        return self.derivation.member

    def calculate(self, obj: Any) -> Any:
        return getattr(obj, self.derivation.derived.name)()

    def check(self, value: Any) -> Any:
        """Return a value as it is kept. Raises `BadValue`."""
        return checked(self.derivation.column, self.derivation.name, value)

    def stored(self, obj: Any) -> Any:
        """Return the stored value, without recording a read; `UNREADABLE` if somebody has written what is none."""
        values = instance_dict(obj)
        if self.derivation.member in values:
            return values[self.derivation.member]
        try:
            with untracked():
                return getattr(obj, self.derivation.member)
        except Exception as error:  # of the type, which may be the application's own, or of the driver
            if isinstance(error, AfterworkError) or is_refusal(error):
                raise
            return UNREADABLE

    def is_new(self, stored: Any, value: Any) -> bool:
        """Return whether a value seems to differ from the stored one, and so is to be written."""
        return not is_same(stored, value)


@dataclass(frozen=True)
class CanMove:
    """Calculates whether a machine can move by itself. Nothing is written for that: the move is another run."""

    derivation: MachineDerivation

    @property
    def own(self) -> str | None:
        return None

    def calculate(self, obj: Any) -> Any:
        machine = self.derivation.machine
        return machine.stored(obj) is None or bool(Play(machine, obj).enabled())

    def check(self, value: Any) -> Any:
        return value

    def stored(self, obj: Any) -> Any:
        return False  # one that is at rest can't

    def is_new(self, stored: Any, value: Any) -> bool:
        return bool(value)


Calculation = MemberValue | CanMove
"""A calculation on one object at a time."""


def calculation_of(derivation: Derivation) -> Calculation | None:
    """Return what to calculate for a derivation; None for a view model, which just runs."""
    match derivation:
        case MemberDerivation():
            return MemberValue(derivation)
        case MachineDerivation():
            return CanMove(derivation)
        case ViewModelDerivation():
            return None


@dataclass
class _Progress:
    """The state of one calculation, also of one that fails halfway."""

    obj: object | None = None
    value: Any = None
    stored: Any = None
    is_new: bool = False
    error: Exception | None = None

    @property
    def has_ended_transaction(self) -> bool:
        """True if nothing more can be asked: a statement has failed or was cancelled, or the transaction is over."""
        return isinstance(self.error, DBAPIError | TimedOut | TransactionIsTheRuns)


@dataclass(frozen=True)
class PythonCalculator:
    calculation: Calculation
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[ReadSession, Prototypes | None], Recorder]
    batch_loader_of: Callable[[RelationshipProperty[Any]], BatchLoader | None]
    root_reads: RootReads
    run_of: Callable[[ClaimedCache], Run]
    derived_members: frozenset[str]

    def calculate(
        self,
        connection: Connection,
        claimed: Sequence[ClaimedCache],
        max_seconds: float,
        limited: Limited = unlimited,
    ) -> Iterator[CalculationResult]:
        """Calculate one value after the other, each `limited`, until `max_seconds` have passed.

        An error of the database ends it, too, and a function that was ended, or has ended the transaction: the results
        before that one are right.
        """
        began = time.monotonic()
        roots = [parse(cache.root, self.classes) for cache in claimed]
        with self._loaded(connection, roots, limited(claimed)) as loaded:
            for cache, root in zip(claimed, roots, strict=True):
                with ended(ReadSession(connection)) as session:
                    # In a context of its own, a function leaves nothing in context variables either.
                    result = copy_context().run(self._calculate, session, cache, root, loaded, limited)
                    is_over = isinstance(result.error, TimedOut) or (result.error and session.is_rolled_back)
                yield result
                if is_over or time.monotonic() - began > max_seconds:
                    return

    def failed(self, connection: Connection, claimed: ClaimedCache, error: Exception) -> CalculationResult:
        """Return the result for an object that can't be loaded. When its rows change, it is tried again."""
        root = parse(claimed.root, self.classes)
        with ended(ReadSession(connection)) as session:
            recorder = self.recorder(session, None)
            recorder.root_not_loaded(root.mapper, root.key)
            reads = recorder.reads()
            self.root_reads.add(reads, root.key, connection)
            return CalculationResult(claimed, root, reads=reads, error=error)

    @contextmanager
    def _loaded(
        self, connection: Connection, ids: Sequence[ExternalId], limit: AbstractContextManager[object]
    ) -> Iterator["_RootsTogether | None"]:
        """Load many roots together; each calculation works on copies, in a session of its own.

        A single root is loaded in its own session, and so are all if they can't be loaded together: None.
        """
        with ended(LoadSession(connection)) as session:
            prototypes = Prototypes(session, self.batch_loader_of)
            visibility = RootVisibility(session, self.roots.is_plain)
            if len(ids) > 1 and self._are_loaded(prototypes, ids, limit):
                asked = self.root_reads.asked_keys(connection, [root.key for root in ids])
                yield _RootsTogether(prototypes, visibility, asked)
            else:
                yield None

    def _are_loaded(
        self, prototypes: Prototypes, ids: Sequence[ExternalId], limit: AbstractContextManager[object]
    ) -> bool:
        with limit:
            return prototypes.load(lambda loader: self.roots.load(loader, ids).values())

    def _calculate(
        self,
        session: ReadSession,
        claimed: ClaimedCache,
        root: ExternalId,
        loaded: "_RootsTogether | None",
        limited: Limited,
    ) -> CalculationResult:
        identity = _identity(root)
        if loaded is None:
            visibility, recorder = RootVisibility(session, self.roots.is_plain), self.recorder(session, None)
            asked = self.root_reads.asked_keys(session.outer, [root.key])
        else:
            visibility, recorder, asked = loaded.visibility, self.recorder(session, loaded.prototypes), loaded.asked
        recorder.result_member = None if self.calculation.own is None else (identity, self.calculation.own)

        def load() -> object | None:
            if loaded is None:
                return self._load_alone(session, root)
            return loaded.prototypes.give(identity, session)

        began = time.perf_counter()
        progress = self._run(session, claimed, recorder, load, limited)
        if progress.obj is None and progress.error is not None:
            recorder.root_not_loaded(root.mapper, root.key)
        seconds, reads = time.perf_counter() - began, recorder.reads()
        untracked = self._add_root(reads, root, session, asked, None if progress.has_ended_transaction else visibility)
        error = progress.error or untracked
        if error is not None:
            return CalculationResult(claimed, root, reads=reads, error=error, seconds=seconds)
        if progress.obj is None:
            return CalculationResult(claimed, None, reads=reads)
        return CalculationResult(
            claimed, root, progress.value, progress.stored, progress.is_new, reads, seconds=seconds
        )

    def _load_alone(self, session: ReadSession, root: ExternalId) -> object | None:
        """Load an object. What somebody has written into a derived column may be unreadable, and is to be replaced."""
        try:
            return self.roots.load(session, [root]).get(root)
        except Exception as error:  # as above
            if not self.derived_members or isinstance(error, AfterworkError) or is_refusal(error):
                raise
            for obj in list(session):  # which may be loaded by halves
                session.expunge(obj)
            return self.roots.load_without(session, root, self.derived_members)

    def _run(
        self,
        session: ReadSession,
        claimed: ClaimedCache,
        recorder: Recorder,
        load: Callable[[], object | None],
        limited: Limited,
    ) -> _Progress:
        progress, limit = _Progress(), limited([claimed])
        try:
            with CONTAINED, running(self.run_of(claimed)), recorder.recording(), limit:
                progress.obj = load()
                if progress.obj is not None:
                    progress.stored = self.calculation.stored(progress.obj)
                    value = self.calculation.calculate(progress.obj)
                    session.flush()  # which refuses, if there is anything to flush
                    progress.value = self.calculation.check(value)
                    progress.is_new = self.calculation.is_new(progress.stored, progress.value)
        except Exception as error:
            progress.error = error
        return progress

    def _add_root(
        self, reads: Reads, root: ExternalId, session: ReadSession, asked: RowKeys, visibility: RootVisibility | None
    ) -> Exception | None:
        """Add the reads of the object itself. Returns the error if they can't be tracked."""
        try:
            self.root_reads.add(reads, root.key, session.outer, asked, visibility)
        except AfterworkError as error:
            return error
        return None


@dataclass(frozen=True)
class _RootsTogether:
    """Roots that were loaded together, with the statement that did so, and their keys that had to be asked for."""

    prototypes: Prototypes
    visibility: RootVisibility
    asked: RowKeys


def _identity(root: ExternalId) -> tuple[Any, ...]:
    return root.mapper.identity_key_from_primary_key(root.key)

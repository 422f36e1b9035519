"""Calculating derived members: what each value is as of one state of the database, and what was read for it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import instance_dict

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.equality import is_same
from afterwork.derived.compute.result_check import checked
from afterwork.derived.compute.root_visibility import RootReads, RootVisibility
from afterwork.derived.manifest.reads import Reads
from afterwork.derived.matching.cycles import cycle_of
from afterwork.derived.queue.due_queue import ClaimedCache
from afterwork.derived.queue.registry import DerivationRegistry, RegisteredDerivation
from afterwork.derived.tracking.batch_loading import BatchLoader
from afterwork.derived.tracking.hidden_state import untracked
from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import AfterworkError, TransactionIsTheRuns
from afterwork.jobs.outcome import Outcome, Raised, Succeeded, text_of, trace_of
from afterwork.jobs.roots import Roots
from afterwork.jobs.run import Run, running
from afterwork.jobs.session import LoadSession, ReadSession
from afterwork.jobs.source import Ran
from afterwork.model.derivation import MachineDerivation, MemberDerivation
from afterwork.model.external_id import ExternalId, parse
from afterwork.saving.machine.play import Play

UNFIT = ValueError, TypeError, OverflowError
"""What drivers raise for a value that they can't send."""


@dataclass(frozen=True)
class Calculated:
    """What came of one calculation: a value, or an error; in any case, what was read. `is_new` says that the member
    has another value, `stored`, by now; or, until `ResultColumn.settled` was asked, that it looks so. `reads` is None
    if they are the same as the last time. `root` is None where the object is not seen: it is gone, or hidden."""

    claimed: ClaimedCache
    root: ExternalId | None
    value: Any = None
    stored: Any = None
    is_new: bool = False
    reads: Reads | None = None
    error: Exception | None = None
    took: float = 0.0
    in_sql: bool = False


@dataclass(frozen=True)
class PythonCalculator:
    """Calculates what the caches of one definition come to, in Python."""

    question: "Calculation"
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[ReadSession, Prototypes | None], Recorder]
    batch_loader_of: Callable[[RelationshipProperty[Any]], BatchLoader | None]
    root_reads: RootReads
    run_of: Callable[[ClaimedCache], Run]

    def calculate(self, connection: Connection, claimed: Sequence[ClaimedCache], limit: float) -> Iterator[Calculated]:
        """Calculate one value after the other, until `limit` seconds have passed. An error of the database ends it,
        too, and a function that has ended the transaction: what comes before is right."""
        began = time.monotonic()
        roots = [parse(one.root, self.classes) for one in claimed]
        with self._loaded(connection, roots) as load:
            for one, root in zip(claimed, roots, strict=True):
                session = ReadSession(connection)
                try:
                    # In a context of its own, a function leaves nothing in context variables either.
                    calculated = copy_context().run(self._calculate, session, one, root, load)
                    is_over = calculated.error is not None and session.is_rolled_back
                finally:
                    session.end()
                yield calculated
                if is_over or time.monotonic() - began > limit:
                    return

    @contextmanager
    def _loaded(self, connection: Connection, ids: Sequence[ExternalId]) -> Iterator["Together | Alone"]:
        """Load many roots together. Each calculation works on copies of what was loaded, in a session of its own. One
        that is by itself loads its root there, and so do all if they can't be loaded together."""
        session = LoadSession(connection)
        try:
            originals, sight = Prototypes(session, self.batch_loader_of), RootVisibility(session, self.roots.is_plain)
            together = len(ids) > 1 and originals.load(lambda by: self.roots.load(by, ids).values())
            yield Together(originals, sight) if together else Alone(self.roots)
        finally:
            session.end()

    def failed(self, connection: Connection, claimed: ClaimedCache, error: Exception) -> Calculated:
        """Return what comes of an object that can't be loaded. When its rows change, it is tried again."""
        root = parse(claimed.root, self.classes)
        session = ReadSession(connection)
        try:
            recorder = self.recorder(session, None)
            recorder.root_not_loaded(root.mapper, root.key)
            reads = recorder.reads()
            self.root_reads.add(reads, root.key, connection)
            return Calculated(claimed, root, reads=reads, error=error)
        finally:
            session.end()

    def _calculate(
        self, session: ReadSession, claimed: ClaimedCache, root: ExternalId, load: "Together | Alone"
    ) -> Calculated:
        sight = load.sight_of(session)
        recorder = self.recorder(session, load.prototypes)
        recorder.result_member = None if self.question.own is None else (_identity(root), self.question.own)
        began = time.perf_counter()
        obj: object | None = None
        value: Any = None
        stored: Any = None
        error = None
        try:
            with CONTAINED, running(self.run_of(claimed)), recorder.recording():
                obj = load.root(session, root)
                if obj is not None:
                    stored = self.question.stored(obj)
                    value = self.question.answer(obj)
            with CONTAINED:
                session.flush()  # which refuses, if there is anything to flush
                value = None if obj is None else self.question.fit(value)
        except Exception as raised:
            error = raised
            if obj is None:
                recorder.root_not_loaded(root.mapper, root.key)
        took = time.perf_counter() - began
        reads = recorder.reads()
        error = self._add_itself(reads, root, session, sight, error)
        if error is not None:
            return Calculated(claimed, root, reads=reads, error=error, took=took)
        if obj is None:
            return Calculated(claimed, None, reads=reads)
        return Calculated(claimed, root, value, stored, self.question.is_new(stored, value), reads, took=took)

    def _add_itself(
        self,
        reads: Reads,
        root: ExternalId,
        session: ReadSession,
        sight: RootVisibility,
        error: Exception | None = None,
    ) -> Exception | None:
        """Add what was read of the object itself. Returns the first error."""
        try:
            # After an error of the database, or the end of the transaction, no more can be asked.
            is_over = isinstance(error, DBAPIError | TransactionIsTheRuns)
            self.root_reads.add(reads, root.key, session.outer, None if is_over else sight)
        except AfterworkError as raised:
            return error or raised
        return error


@dataclass(frozen=True)
class Together:
    """Roots that were loaded together, with how that was asked for."""

    prototypes: Prototypes
    sight: RootVisibility

    def sight_of(self, session: ReadSession) -> RootVisibility:
        """Return how the root of a session is asked for."""
        return self.sight

    def root(self, session: ReadSession, wanted: ExternalId) -> object | None:
        """Return the root in this session; None if it can't be seen."""
        return self.prototypes.give(_identity(wanted), session)


@dataclass(frozen=True)
class Alone:
    """Roots that are loaded each by itself."""

    roots: Roots
    prototypes: None = None

    def sight_of(self, session: ReadSession) -> RootVisibility:
        """Return how the root of a session is asked for."""
        return RootVisibility(session, self.roots.is_plain)

    def root(self, session: ReadSession, wanted: ExternalId) -> object | None:
        """Return the root in this session; None if it can't be seen."""
        return self.roots.load(session, [wanted]).get(wanted)


def _identity(root: ExternalId) -> tuple[Any, ...]:
    return root.mapper.identity_key_from_primary_key(root.key)


class Calculation(Protocol):
    """What is calculated of an object."""

    @property
    def own(self) -> str | None:
        """The member that must not be read, since it is what is calculated."""

    def answer(self, obj: Any) -> Any:
        """Calculate. Whatever is read is a reason to calculate again."""

    def fit(self, value: Any) -> Any:
        """The value as it is kept. Raises `BadValue`."""

    def stored(self, obj: Any) -> Any:
        """What is stored so far, which it is no read to ask for."""

    def is_new(self, stored: Any, value: Any) -> bool:
        """Whether a value looks like another one than is stored, that is to be written."""


@dataclass(frozen=True)
class Value:
    """What a derived member is."""

    cache: MemberDerivation

    @property
    def own(self) -> str | None:
        return self.cache.member

    def answer(self, obj: Any) -> Any:
        return getattr(obj, self.cache.derived.name)()

    def fit(self, value: Any) -> Any:
        return checked(self.cache.column, self.cache.name, value)

    def stored(self, obj: Any) -> Any:
        values = instance_dict(obj)
        if self.cache.member in values:
            return values[self.cache.member]
        with untracked():
            return getattr(obj, self.cache.member)

    def is_new(self, stored: Any, value: Any) -> bool:
        return not is_same(stored, value)


@dataclass(frozen=True)
class CanMove:
    """Whether a machine can move by itself. Nothing is written for that: to move is another run."""

    cache: MachineDerivation

    @property
    def own(self) -> str | None:
        return None

    def answer(self, obj: Any) -> Any:
        machine = self.cache.machine
        return machine.stored(obj) is None or bool(Play(machine, obj).enabled())

    def fit(self, value: Any) -> Any:
        return value

    def stored(self, obj: Any) -> Any:
        return False  # one that is at rest can't

    def is_new(self, stored: Any, value: Any) -> bool:
        return bool(value)


def unless_circular(connection: Connection, calculated: Calculated, definitions: DerivationRegistry) -> Calculated:
    """What was calculated, or that it goes round in a circle."""
    circle = cycle_of(connection, calculated.claimed, definitions)
    return calculated if circle is None else replace(calculated, is_new=False, error=circle)


def outcomes(
    done: Sequence[Calculated],
    definition: RegisteredDerivation,
    run_of: Callable[[RegisteredDerivation, ClaimedCache], Run],
) -> Ran:
    """The runs of what was calculated and stored, each with what came of it."""
    return [(run_of(definition, one.claimed), _outcome(one)) for one in done if one.root is not None]


def _outcome(one: Calculated) -> Outcome:
    error = one.error
    return Succeeded(one.took) if error is None else Raised(text_of(error), None, one.took, trace_of(error))

"""Calculating derived members: what each value is as of one state of the database, and what was read for it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapper

from afterwork.errors import AfterworkError
from afterwork.jobs.outcome import Outcome, Raised, Succeeded, text_of, trace_of
from afterwork.jobs.run import Run, running
from afterwork.jobs.session import ReadSession
from afterwork.jobs.trigger import Ran
from afterwork.manifest.circle import circle_of
from afterwork.manifest.definitions import Definition, Definitions
from afterwork.manifest.due import Claimed
from afterwork.manifest.reads import Reads
from afterwork.manifest.record import Recorder
from afterwork.manifest.sight import Itself, Sight
from afterwork.model.cache import DerivedCache, MachineCache
from afterwork.model.external_id import ExternalId, parse
from afterwork.model.machine.chart import Play
from afterwork.triggers.fit import checked
from afterwork.triggers.roots import Roots
from afterwork.triggers.same import is_same

UNFIT = ValueError, TypeError, OverflowError
"""What drivers raise for a value that they can't send."""


@dataclass(frozen=True)
class Calculated:
    """What came of one calculation: a value, or an error; in any case, what was read. `is_new` says that the member
    has another value, `stored`, by now; or, until `ResultColumn.settled` was asked, that it looks so. `reads` is None
    if they are the same as the last time. `root` is None where the object is not seen: it is gone, or hidden."""

    claimed: Claimed
    root: ExternalId | None
    value: Any = None
    stored: Any = None
    is_new: bool = False
    reads: Reads | None = None
    error: Exception | None = None
    took: float = 0.0
    in_sql: bool = False


@dataclass(frozen=True)
class Calculator:
    """Calculates what the caches of one definition come to, in Python."""

    question: "Question"
    classes: Mapping[str, Mapper[Any]]
    roots: Roots
    recorder: Callable[[ReadSession], Recorder]
    itself: Itself
    run_of: Callable[[Claimed], Run]

    def calculate(self, connection: Connection, claimed: Sequence[Claimed], limit: float) -> Iterator[Calculated]:
        """Calculate one value after the other, until `limit` seconds have passed. An error of the database ends it,
        too, and a function that has changed something: what comes before is right."""
        ids = {one.cache: parse(one.root, self.classes) for one in claimed}
        session = ReadSession(connection)
        began = time.monotonic()
        sight = Sight(session, self.roots.is_plain)
        try:
            objects = self.roots.load(session, ids.values())
            for one in claimed:
                calculated = self._calculate(session, sight, one, ids[one.cache], objects.get(ids[one.cache]))
                yield calculated
                if time.monotonic() - began > limit or (calculated.error is not None and session.is_spoiled):
                    return
        finally:
            session.end()

    def _calculate(
        self, session: ReadSession, sight: Sight, claimed: Claimed, root: ExternalId, obj: object | None
    ) -> Calculated:
        if obj is None:
            reads = Reads()
            error = self._add_itself(reads, root, session, sight)
            return Calculated(claimed, None if error is None else root, reads=reads, error=error)
        recorder = self.recorder(session)
        recorder.own = self.question.own(obj)
        began = time.perf_counter()
        value: Any = None
        error = None
        try:
            with running(self.run_of(claimed)), recorder.recording():
                value = self.question.answer(obj)
            session.flush()  # which refuses, if there is anything to flush
            value = self.question.fit(value)
        except Exception as raised:
            error = raised
        took = time.perf_counter() - began
        reads = recorder.reads()
        error = self._add_itself(reads, root, session, sight, error)
        if error is not None:
            return Calculated(claimed, root, reads=reads, error=error, took=took)
        stored, is_new = self.question.compared(obj, value)
        return Calculated(claimed, root, value, stored, is_new, reads, took=took)

    def _add_itself(
        self, reads: Reads, root: ExternalId, session: ReadSession, sight: Sight, error: Exception | None = None
    ) -> Exception | None:
        """Add what was read of the object itself. Returns the first error."""
        try:
            # After an error of the database, no more can be asked.
            self.itself.add(reads, root.key, session.connection(), None if isinstance(error, DBAPIError) else sight)
        except AfterworkError as raised:
            return error or raised
        return error


class Question(Protocol):
    """What is calculated of an object."""

    def own(self, obj: Any) -> tuple[Any, str] | None:
        """The member that must not be read, since it is what is calculated."""

    def answer(self, obj: Any) -> Any:
        """Calculate. Whatever is read is a reason to calculate again."""

    def fit(self, value: Any) -> Any:
        """The value as it is kept. Raises `BadValue`."""

    def compared(self, obj: Any, value: Any) -> tuple[Any, bool]:
        """What is stored, and whether the value looks like another one, that is to be written."""


@dataclass(frozen=True)
class Value:
    """What a derived member is."""

    cache: DerivedCache

    def own(self, obj: Any) -> tuple[Any, str] | None:
        return obj, self.cache.member

    def answer(self, obj: Any) -> Any:
        return getattr(obj, self.cache.derived.name)()

    def fit(self, value: Any) -> Any:
        return checked(self.cache.column, self.cache.name, value)

    def compared(self, obj: Any, value: Any) -> tuple[Any, bool]:
        stored = getattr(obj, self.cache.member)
        return stored, not is_same(stored, value)


@dataclass(frozen=True)
class CanMove:
    """Whether a machine can move by itself. Nothing is written for that: to move is another run."""

    cache: MachineCache

    def own(self, obj: Any) -> tuple[Any, str] | None:
        return None

    def answer(self, obj: Any) -> Any:
        machine = self.cache.machine
        return machine.stored(obj) is None or bool(Play(machine, obj).enabled())

    def fit(self, value: Any) -> Any:
        return value

    def compared(self, obj: Any, value: Any) -> tuple[Any, bool]:
        return False, value  # one that is at rest can't


def unless_circular(connection: Connection, calculated: Calculated, definitions: Definitions) -> Calculated:
    """What was calculated, or that it goes round in a circle."""
    circle = circle_of(connection, calculated.claimed, definitions)
    return calculated if circle is None else replace(calculated, is_new=False, error=circle)


def outcomes(done: Sequence[Calculated], definition: Definition, run_of: Callable[[Definition, Claimed], Run]) -> Ran:
    """The runs of what was calculated and stored, each with what came of it."""
    return [(run_of(definition, one.claimed), _outcome(one)) for one in done if one.root is not None]


def _outcome(one: Calculated) -> Outcome:
    error = one.error
    return Succeeded(one.took) if error is None else Raised(text_of(error), None, one.took, trace_of(error))

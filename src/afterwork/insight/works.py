"""One work in detail: what it is, what starts it, how it has run, what failed, what waits, and who depends on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, select

from afterwork.errors import NotThere, shown
from afterwork.insight import model, timers
from afterwork.insight.caches import CacheSummary, summary
from afterwork.insight.derived_graph import DerivedGraph
from afterwork.insight.model import WorkView
from afterwork.insight.runs_over_time import Distribution, RunReader, RunsOverTime, Span, WantedRuns
from afterwork.insight.timers import TimerView
from afterwork.model.derivation import Derivation, MachineDerivation, MemberDerivation
from afterwork.model.inspection import ModelInfo
from afterwork.model.known_names import instead_of
from afterwork.model.machine.state_scope import base_of
from afterwork.model.work import FunctionWork, MethodWork, ViewModelWork, Work
from afterwork.store import tables
from afterwork.store.bounded_count import Count
from afterwork.store.history import RunRecord, records
from afterwork.store.tickets.filter import PENDING, TicketFilter, TicketState
from afterwork.store.tickets.walk import TicketWalk

WorkKind = Literal["method", "view model", "function", "derived value", "machine", "once"]

MAX_FAILURES = 5
"""The most failures of a work that are shown."""


@dataclass(frozen=True)
class WorkDetail:
    """One work, and its runs of a span. `kind` is None if the model no longer has it.

    `root` is the class of its objects. `declared` is None for derived values and machines, which no ticket can ask for.
    `took` has the seconds of its code, `latency` those from due to done. `failures` are the newest. `waiting` counts
    tickets in each state in which they have not ended; `timer` and `cache` are there if it is one. Derived ones are
    `fed_by` others, and feed those that are `read_by`; `reads` are the members that they read.
    """

    name: str
    kind: WorkKind | None
    doc: str
    root: str | None
    declared: WorkView | None
    runs: RunsOverTime
    took: Distribution
    latency: Distribution
    failures: Sequence[RunRecord]
    waiting: Mapping[TicketState, Count]
    timer: TimerView | None
    cache: CacheSummary | None
    reads: Sequence[str]
    fed_by: Sequence[str]
    read_by: Sequence[str]


@dataclass(frozen=True)
class WorkReader:
    """Reads single works from one database, as of the moment of the walk over its tickets."""

    model: ModelInfo
    tickets: TicketWalk
    graph: DerivedGraph

    def detail(self, connection: Connection, name: str, span: Span) -> WorkDetail:
        """Return one work. Raises `NotThere` if neither the model nor the history knows it."""
        work, derivation = self.model.works.get(base_of(name)), self.model.derivations.get(name)
        kind = self._kind(name, work, derivation)
        if kind is None:
            self._check_has_run(connection, name)
        runs = RunReader(self.model, self.now)
        took, latency = runs.distributions(connection, span, name)
        node = self.graph.nodes.get(name)
        return WorkDetail(
            name,
            kind,
            _doc(work, derivation),
            _root(work, derivation),
            None if work is None else model.work_view(self.model, work),
            runs.over(connection, span, WantedRuns(name)),
            took,
            latency,
            records(connection, {"work": name, "outcome": "failed"}, None, None, MAX_FAILURES),
            {} if work is None else self._waiting(connection, name),
            self._timer(connection, name),
            None if derivation is None else summary(connection, self.model, name, self.now),
            () if node is None else node.reads,
            () if node is None else node.fed_by,
            self.graph.readers(name),
        )

    @property
    def now(self) -> datetime:
        return self.tickets.now

    def _kind(self, name: str, work: Work | None, derivation: Derivation | None) -> WorkKind | None:
        match work or derivation:
            case ViewModelWork():
                return "view model"
            case FunctionWork():
                return "function"
            case MethodWork():
                return "method"
            case MemberDerivation():
                return "derived value"
            case MachineDerivation():
                return "machine"
        return "once" if name in self.model.work_names else None

    def _check_has_run(self, connection: Connection, name: str) -> None:
        if connection.execute(select(tables.total.c.work).where(tables.total.c.work == name).limit(1)).first() is None:
            known = instead_of(name, sorted(self.model.work_names), verb="It has", listed_by="works")
            raise NotThere(f"The model has no work {shown(name)}, and none of this name has run. {known}")

    def _waiting(self, connection: Connection, name: str) -> Mapping[TicketState, Count]:
        wanted = TicketFilter(work=name)
        return {state: self.tickets.count(connection, wanted.of_state(state)) for state in PENDING}

    def _timer(self, connection: Connection, name: str) -> TimerView | None:
        if name not in self.model.timers:
            return None
        return next(view for view in timers.views(connection, self.model) if view.name == name)


def _doc(work: Work | None, derivation: Derivation | None) -> str:
    match work or derivation:
        case MethodWork(method=declared) | FunctionWork(function=declared):
            return model.summary(declared)
        case ViewModelWork(view_model=declared):
            return model.summary(declared)
        case MemberDerivation(derived=derived):
            return model.summary(derived.function)
        case _:
            return ""


def _root(work: Work | None, derivation: Derivation | None) -> str | None:
    if derivation is not None:
        return derivation.root.class_.__name__
    return None if work is None or work.root is None else work.root.__name__

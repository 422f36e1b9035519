"""Everything derived, as one graph of the model: what each derivation reads and writes, and what feeds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.derived.queue.registry import DerivationRegistry
from afterwork.insight.caches import CacheSummary
from afterwork.insight.member_names import MemberNames
from afterwork.insight.runs_over_time import RunGroup
from afterwork.model.derivation import MachineDerivation, MemberDerivation


@dataclass(frozen=True)
class DerivedNode:
    """One derivation in the graph. It `reads` members, `Order.amount`, or whole classes, `Order`, as far as runs have.

    `writes` is the member that has its value, None for a view model. It is `fed_by` other derivations, whose values it
    reads; `level` is one above theirs, and above 0.
    """

    name: str
    level: int
    reads: Sequence[str]
    writes: str | None
    fed_by: Sequence[str]


@dataclass(frozen=True)
class DerivedGraph:
    """All derivations of a model by name, with what feeds them."""

    nodes: Mapping[str, DerivedNode]

    @cached_property
    def sources(self) -> Sequence[str]:
        """The members that are read and that nothing derives, by name."""
        written = {node.writes for node in self.nodes.values()}
        return sorted({member for node in self.nodes.values() for member in node.reads} - written)

    @cached_property
    def members(self) -> Sequence[str]:
        """All members that are read or written, by name."""
        written = {node.writes for node in self.nodes.values() if node.writes is not None}
        return sorted({member for node in self.nodes.values() for member in node.reads} | written)

    def readers(self, name: str) -> Sequence[str]:
        """Return the derivations that read the value of one."""
        return [node.name for node in self.nodes.values() if name in node.fed_by]

    def affected_by(self, member: str) -> Sequence[str]:
        """Return the derivations that may become stale if a member changes, the nearest first.

        A class, `Order`, stands for its objects: some are added or deleted.
        """
        affected = dict.fromkeys(node.name for node in self.nodes.values() if member in node.reads)
        todo = list(affected)
        while todo:
            further = [reader for reader in self.readers(todo.pop(0)) if reader not in affected]
            affected.update(dict.fromkeys(further))
            todo += further
        return list(affected)


@dataclass(frozen=True)
class GraphView:
    """The graph of everything derived, with the numbers of each derivation.

    `runs` are the sums of the last hour, by name; those that have not run within it are missing.
    """

    graph: DerivedGraph
    caches: Mapping[str, CacheSummary]
    runs: Mapping[str, RunGroup]


@dataclass(frozen=True)
class GraphReader:
    """Reads the graph from what runs are known to have read, and from the expressions that are turned round."""

    registry: DerivationRegistry
    naming: MemberNames

    def graph(self) -> DerivedGraph:
        """Return the graph, the derivations by name."""
        levels: dict[int, int] = {}
        nodes = [self._node(each, levels) for each in sorted(self.registry, key=lambda each: each.name)]
        return DerivedGraph({node.name: node for node in nodes})

    def _node(self, derivation: RegisteredDerivation, levels: dict[int, int]) -> DerivedNode:
        order, written = self.registry.order, _written(derivation)
        feeders = {*order.direct[derivation.id], *order.moved[derivation.id]}
        fed_by = sorted(self.registry.by_id[feeder].name for feeder in feeders)
        reads = sorted(self._read(derivation) - {written})
        return DerivedNode(derivation.name, self._level(derivation.id, levels), reads, written, fed_by)

    def _level(self, derivation: int, known: dict[int, int]) -> int:
        """Return the level of a derivation: those of a cycle don't count as feeders of each other."""
        if derivation not in known:
            feeders = self.registry.order.feeders[derivation]
            known[derivation] = 1 + max((self._level(feeder, known) for feeder in feeders), default=0)
        return known[derivation]

    def _read(self, derivation: RegisteredDerivation) -> set[str]:
        read: set[str] = set()
        for table, columns in self.registry.columns_read(derivation):
            name = self.naming.table(table)
            read |= {f"{name}.{self.naming.member(table, column)}" for column in columns} or {name}
        return read


def _written(derivation: RegisteredDerivation) -> str | None:
    match derivation.declaration:
        case MemberDerivation(root=root, member=member):
            return f"{root.class_.__name__}.{member}"
        case MachineDerivation(root=root, machine=machine):
            return f"{root.class_.__name__}.{machine.member_of(root)}"
        case _:
            return None

"""The order in which derivations run: by urgency, and feeders before those that they feed."""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property

from afterwork.model.priority import LOWEST_PRIORITY


@dataclass(frozen=True)
class DerivationOrder:
    """The order by what feeds what.

    `direct` has the feeders that each derivation reads itself; those in `looped` read what they write, on other rows.
    `moved` has the machines whose states each derivation reads, and the view models that write what it reads. They run
    first like feeders, but make no cycle: a machine may well move because of what is made of its state.
    """

    priorities: Mapping[int, int | None]
    direct: Mapping[int, Set[int]]
    looped: Collection[int]
    moved: Mapping[int, Set[int]] = field(default_factory=dict)

    @cached_property
    def feeders(self) -> Mapping[int, set[int]]:
        """All derivations that must run before each, directly or not. Those of a cycle don't wait for each other."""
        before = {derivation: self._reached(derivation, self.direct, self.moved) for derivation in self.direct}
        return {
            reader: {feeder for feeder in feeders if reader not in before[feeder]} for reader, feeders in before.items()
        }

    def cycle(self, derivation: int) -> frozenset[int]:
        """Return the derivations that read one another in a cycle through this one; none if it is in no cycle."""
        return self._cycles[derivation]

    @cached_property
    def cyclic(self) -> set[int]:
        """The derivations that may come to depend on themselves."""
        return {
            derivation
            for derivation in self.direct
            if derivation in self.looped or derivation in self._all_feeders[derivation]
        }

    @cached_property
    def rank(self) -> Mapping[int, tuple[int, int]]:
        """The sort key of derivations: urgency, which feeders inherit from those that they feed; then feeders first."""
        own = {
            derivation: LOWEST_PRIORITY if priority is None else priority
            for derivation, priority in self.priorities.items()
        }
        return {
            feeder: (
                min([own[feeder], *(own[reader] for reader in self.direct if feeder in self.feeders[reader])]),
                len(self.feeders[feeder]),
            )
            for feeder in self.direct
        }

    @cached_property
    def _cycles(self) -> Mapping[int, frozenset[int]]:
        above = self._all_feeders
        mates = {
            derivation: {feeder for feeder in feeders if derivation in above.get(feeder, ())}
            for derivation, feeders in above.items()
        }
        return {
            derivation: frozenset(of_cycle | {derivation} if derivation in self.cyclic else ())
            for derivation, of_cycle in mates.items()
        }

    @cached_property
    def _all_feeders(self) -> Mapping[int, set[int]]:
        return {derivation: self._reached(derivation, self.direct) for derivation in self.direct}

    def _reached(self, start: int, *steps: Mapping[int, Set[int]]) -> set[int]:
        reached: set[int] = set()
        todo = [start]
        while todo:
            reader = todo.pop()
            feeders = {feeder for step in steps for feeder in step.get(reader, ())} - reached
            reached |= feeders
            todo += feeders
        return reached

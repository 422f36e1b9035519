"""Conflicts: transitions without an event that are possible at once. The first that is declared is taken.

`afterwork check` lists the conflicts that objects have met.
"""

from collections.abc import Callable, Iterator, Sequence

from statemachine.transition import Transition

from afterwork.model.machine.chart import in_words
from afterwork.saving.machine.unsaved_moves import Conflict


def conflicts_of(
    machine: str, transitions: Sequence[Transition], is_possible: Callable[[Transition], bool]
) -> Iterator[Conflict]:
    """Yield the conflicts of transitions that are about to be taken, of the machine with a name.

    Evaluates the guards of later transitions out of the same states, and of no others.
    """
    for taken in transitions:
        if taken.is_eventless and not taken.initial:
            eventless = [other for other in taken.source.transitions if other.is_eventless and not other.initial]
            for other in eventless[eventless.index(taken) + 1 :]:
                if _is_possible(other, is_possible):
                    yield Conflict(machine, taken.source.id, in_words(taken), in_words(other))


def _is_possible(transition: Transition, is_possible: Callable[[Transition], bool]) -> bool:
    try:
        return is_possible(transition)
    except Exception:
        # The move doesn't evaluate this guard, so it can't fail by it. A guard that raises makes no conflict.
        return False

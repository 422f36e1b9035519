"""Transitions without an event that were possible at once. The first that is declared is taken; that it was so is kept
for `afterwork check`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, text
from statemachine.event_data import TriggerData
from statemachine.transition import Transition

from afterwork.model.utc_datetime import UtcDateTime

if TYPE_CHECKING:
    from afterwork.model.machine.chart import Play

KEEP = text(
    "INSERT INTO afterwork_rival (machine, source, taken, rival, root_id, at)"
    " VALUES (:machine, :source, :taken, :rival, :root_id, :at) ON CONFLICT DO NOTHING"
).bindparams(bindparam("at", type_=UtcDateTime()))
"""Each pair is kept once, with the first object that met it. `store/tables.py` declares the table in full."""


@dataclass(frozen=True)
class Rival:
    """A transition that was taken, and a later one of the same state that was possible, too; both as `in_words`."""

    machine: str
    source: str
    taken: str
    rival: str


def rivals_of(play: "Play", transitions: Sequence[Transition], trigger: TriggerData) -> Iterator[Rival]:
    """The rivals of transitions that are about to be taken. Asks the guards of later ones of the same states, and those
    only."""
    for taken in transitions:
        if taken.is_eventless and not taken.initial:
            free = [one for one in taken.source.transitions if one.is_eventless and not one.initial]
            for other in free[free.index(taken) + 1 :]:
                if _is_possible(play, other, trigger):
                    name = f"{type(play.obj).__name__}.{play.machine.name}"
                    yield Rival(name, taken.source.id, in_words(taken), in_words(other))


def _is_possible(play: "Play", transition: Transition, trigger: TriggerData) -> bool:
    try:
        return play.holds(transition, trigger)
    except Exception:
        # The move does not ask this guard, so it can't fail by it. What can't be told is no rival.
        return False


def in_words(transition: Transition) -> str:
    """A transition as `ship → shipped`, or, without an event, `[is_covered] → paid`."""
    guards = " and ".join(str(guard) for guard in transition.cond)
    events: Any = (str(event) for event in str(transition.event).split() if "." not in event)
    by = " ".join(filter(None, [next(events, ""), f"[{guards}]" if guards else ""]))
    return f"{by or 'at once'} → {', '.join(target.id for target in transition.targets) or 'nowhere'}"

"""The parts of python-statemachine 3 that Afterwork needs beyond its public interface.

The library moves a chart, but doesn't say beforehand where it would go. Each function says which private name it uses,
and why. The dependency is pinned to `<4`, and `tests/compat` fails when a version changes one of them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from statemachine import StateChart
    from statemachine.event_data import TriggerData
    from statemachine.transition import Transition

Chart: TypeAlias = "StateChart[Any]"
Microstep = Callable[..., Any]


def has_async_callbacks(chart: Chart) -> bool:
    """Return whether a guard or an action of a chart is asynchronous. Uses `_callbacks`: nothing public tells."""
    return chart._callbacks.has_async_callbacks


def wrap_microsteps(chart: Chart, wrapper: Callable[..., Any]) -> None:
    """Pass each microstep through `wrapper`, which gets the library's function and its arguments.

    Replaces `_engine.microstep`: no listener is called both before guards' reads end and after actions' reads do.
    """
    chart._engine.microstep = partial(wrapper, chart._engine.microstep)


@contextmanager
def only_initial(chart: Chart) -> Iterator[None]:
    """Let `activate_initial_state` enter the first state and stop there, within the block.

    Clears `_engine.running`, for which a chart can't be asked publicly.
    """
    chart._engine.running = False
    try:
        yield
    finally:
        chart._engine.running = True


def selected(chart: Chart, event: str) -> "Sequence[Transition]":
    """Return the transitions that an event would take now, without taking them.

    Uses `_engine.select_transitions` and `BoundEvent(_sm=…)`: the public way is to send the event.
    """
    from statemachine.event import BoundEvent

    trigger = BoundEvent(event, _sm=chart).build_trigger(machine=chart)
    return list(chart._engine.select_transitions(trigger))


def selected_eventless(chart: Chart) -> "Sequence[Transition]":
    """Return the transitions without an event that would be taken now, without taking them.

    Uses `_engine.select_eventless_transitions`: nothing public asks.
    """
    from statemachine.event_data import TriggerData

    return list(chart._engine.select_eventless_transitions(TriggerData(chart, event=None)))


def guards_hold(chart: Chart, transition: "Transition", trigger: "TriggerData") -> bool:
    """Return whether all guards of a transition hold now. Uses `_engine._conditions_match`: nothing public asks."""
    return bool(chart._engine._conditions_match(transition, trigger))


def guards_of(chart: Chart, transition: "Transition") -> list[tuple[str, Callable[..., Any]]]:
    """Return the guards of a transition: the name of each, and a function of keyword arguments that evaluates it.

    Uses `_callbacks`, the executors of the library, by which names become functions of the chart or the model.
    """
    return [(str(guard), guard.call) for guard in chart._callbacks[transition.cond.key]]

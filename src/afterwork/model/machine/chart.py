"""Charts, as the library python-statemachine has them: what Afterwork can run of them, and how it says transitions."""

import types
from typing import TYPE_CHECKING, Any, TypeVar

from afterwork.errors import BadDeclaration

if TYPE_CHECKING:
    from statemachine import Event, StateChart
    from statemachine.transition import Transition

Chart = TypeVar("Chart", bound=type)

HISTORY = "__afterwork_history__"
"""The attribute of a chart whose transitions are logged."""

SETTINGS = {
    "catch_errors_as_events": False,  # an error undoes the whole move
    "allow_event_without_transition": False,  # an event that does nothing is an error
    "atomic_configuration_update": True,  # the column never holds half a configuration
}
"""The library's settings for a chart whose state stands in a database."""


def track_history(chart: Chart) -> Chart:
    """Log the transitions of a machine in `afterwork_transition`, a row each, saved with the object.

    `chart` is the class of the machine, so this serves as its decorator. Raises `BadDeclaration` for anything else.
    """
    from statemachine import StateChart

    if not (isinstance(chart, type) and issubclass(chart, StateChart)):
        raise BadDeclaration(
            f"@aw.track_history marks classes that derive from statemachine.StateChart, not {chart!r}."
        )
    setattr(chart, HISTORY, True)
    return chart


def adapted(chart: Any) -> "type[StateChart[Any]]":
    """Return a chart as Afterwork runs it. Its own settings for errors and events stay.

    Raises `BadDeclaration` for anything but a chart, and for a chart that needs a process that goes on.
    """
    from statemachine import StateChart, StateMachine  # only who has charts loads their library

    if not (isinstance(chart, type) and issubclass(chart, StateChart)):
        raise BadDeclaration(f"aw.machine takes a class that derives from statemachine.StateChart, not {chart!r}.")
    own = [cls for cls in chart.__mro__ if issubclass(cls, StateChart) and cls not in (StateChart, StateMachine)]
    declared = {name for cls in own for name in vars(cls)}
    settings = {name: value for name, value in SETTINGS.items() if name not in declared}
    if any(str(event).startswith("error") for event in events_of(chart)):
        settings.pop("catch_errors_as_events", None)
    copy = types.new_class(chart.__name__, (chart,), exec_body=lambda names: names.update(settings))
    copy.__module__, copy.__qualname__, copy.__doc__ = chart.__module__, chart.__qualname__, chart.__doc__
    _check(copy)
    return copy


def events_of(chart: "type[StateChart[Any]]") -> "list[Event]":
    """Return the events of a chart, in the order in which they are declared."""
    events: Any = chart.events  # a property of the class, which the library's types show as one of its instances
    return list(events)


def _check(chart: "type[StateChart[Any]]") -> None:
    if not chart.states_map:
        raise BadDeclaration(f"{chart.__name__} has no states.")
    for state in chart.states_map.values():
        if any(not spec.is_convention for spec in state.invoke):
            raise BadDeclaration(
                f"{chart.__name__}.{state.id} invokes something that would go on beside the machine, and be lost with "
                "the process. Ask for it with aw.later or aw.while_in in an entry action."
            )
    for event in events_of(chart):
        if event.delay:
            raise BadDeclaration(
                f"{chart.__name__}.{event} has a delay, which would be lost with the process. Ask for it with "
                "aw.while_in(order.flow.event, after=…) in an entry action."
            )


def eventless(chart: "type[StateChart[Any]]") -> "list[Transition]":
    """Return the transitions that wait for no event, in the order in which they are declared."""
    return [
        transition
        for state in chart.states_map.values()
        for transition in state.transitions
        if transition.is_eventless and not transition.initial
    ]


def outline(chart: "type[StateChart[Any]]") -> str:
    """Return a text that changes when the states or transitions of a chart do."""
    states = [
        (state.id, state.value, state.initial, state.final, state.parallel, state.parent and state.parent.id)
        for state in chart.states_map.values()
    ]
    transitions = [
        (
            state.id,
            [target.id for target in transition.targets],
            str(transition.event),
            [(str(guard), guard.expected_value) for guard in transition.cond],
        )
        for state in chart.states_map.values()
        for transition in state.transitions
    ]
    return repr((states, transitions))


def in_words(transition: "Transition") -> str:
    """Return a transition as `ship → shipped`, or, without an event, as `[is_covered] → paid`."""
    guards = " and ".join(str(guard) for guard in transition.cond)
    events: Any = (str(event) for event in str(transition.event).split() if "." not in event)
    by = " ".join(filter(None, [next(events, ""), f"[{guards}]" if guards else ""]))
    return f"{by or 'at once'} → {', '.join(target.id for target in transition.targets) or 'nowhere'}"

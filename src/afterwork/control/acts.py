"""Acts on timers, lanes and servers, each described once: for the command line, the page and the API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from afterwork.control.service import Control
from afterwork.store.timers import Cancellation

Thing = Literal["timer", "lane", "server"]
Verb = Literal["run", "cancel", "pause", "resume", "drain"]

PATHS: dict[Thing, str] = {"timer": "/timers/{name}", "lane": "/lanes/{name:path}", "server": "/servers/{server}"}


@dataclass(frozen=True)
class StartedRound:
    """A round that was begun by hand, and the number of its matches."""

    matches: int


@dataclass(frozen=True)
class NamedAct:
    """An act on one thing. `perform` takes the name of the thing and of the actor, `say` puts the result into words.

    `doc` describes it; `answer` is the type of its result, None if it has none.
    """

    thing: Thing
    verb: Verb
    doc: str
    perform: Callable[[Control, Any, str], Any]
    say: Callable[[str, Any], str]
    answer: type | None = None

    @property
    def path(self) -> str:
        """Return its path in the API and on the page."""
        return f"{PATHS[self.thing]}/{self.verb}"


def _say_started(name: str, started: StartedRound) -> str:
    return f"{name} has {started.matches:,} {'match' if started.matches == 1 else 'matches'} for servers to run."


def _say_cancelled(name: str, cancelled: Cancellation) -> str:
    asked = f", and {cancelled.asked_to_stop:,} that run were asked to stop" if cancelled.asked_to_stop else ""
    return f"{cancelled.ended:,} matches of {name} cancelled{asked}."


NAMED_ACTS = (
    NamedAct(
        "timer",
        "run",
        "Begin a round now, besides those at due times.",
        lambda control, name, who: StartedRound(control.run_now(name, who)),
        _say_started,
        StartedRound,
    ),
    NamedAct(
        "timer",
        "cancel",
        "End the rest of a round, and ask its current runs to stop.",
        Control.cancel,
        _say_cancelled,
        Cancellation,
    ),
    NamedAct(
        "timer",
        "pause",
        "Stop a timer from firing. It does not make up for what it misses.",
        Control.pause_timer,
        lambda name, _: f"Timer {name} is paused. Current runs go on; nothing more begins.",
    ),
    NamedAct(
        "timer", "resume", "Let a timer fire again.", Control.resume_timer, lambda name, _: f"Timer {name} is resumed."
    ),
    NamedAct(
        "lane",
        "pause",
        "Stop jobs of a lane from beginning. Current runs go on.",
        Control.pause_lane,
        lambda name, _: f"Lane {name} is paused. Current runs go on; nothing more begins.",
    ),
    NamedAct(
        "lane",
        "resume",
        "Let jobs of a lane begin again.",
        Control.resume_lane,
        lambda name, _: f"Lane {name} is resumed.",
    ),
    NamedAct(
        "server",
        "drain",
        "Make a server begin no more runs, and leave when its current ones have ended.",
        Control.drain,
        lambda name, _: f"Server {name} begins nothing more, and leaves when its runs have ended.",
    ),
)


def act_on(thing: Thing, verb: Verb) -> NamedAct:
    return next(act for act in NAMED_ACTS if (act.thing, act.verb) == (thing, verb))

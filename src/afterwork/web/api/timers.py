"""The API on timers."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from afterwork.insight import TimerDetail, TimerView
from afterwork.store.timers import Cancellation
from afterwork.web.api.asking import Actor
from afterwork.web.site import Site


@dataclass(frozen=True)
class StartedRound:
    """A round that was begun by hand: how many objects it hits."""

    matches: int


@dataclass(frozen=True)
class DryRun:
    """What a round would hit now, in order; [null] stands for the one run of a job without a root."""

    would_match: Sequence[str | None]


def router(site: Site) -> APIRouter:
    """Timers, and what can be done to them."""
    made = APIRouter(tags=["timers"])

    @made.get("/timers")
    def timers() -> Sequence[TimerView]:
        """All timers, those of the model and those that the database still knows, by name."""
        return site.insight.timers()

    @made.get("/timers/{name}")
    def timer(name: str) -> TimerDetail:
        """One timer, with its next due times and what its runs came to in the last day."""
        return site.insight.timer(name)

    @made.get("/timers/{name}/dry-run")
    def dry_run_of_timer(name: str) -> DryRun:
        """The objects that a round would hit now. Changes nothing."""
        return DryRun(site.control.dry_run(name))

    @made.post("/timers/{name}/run")
    def run_timer(name: str, who: Actor) -> StartedRound:
        """Have a round now, besides those at due times."""
        return StartedRound(site.control.run_now(name, who))

    @made.post("/timers/{name}/cancel")
    def cancel_timer(name: str, who: Actor) -> Cancellation:
        """End what is left of a round, and ask what runs to stop."""
        return site.control.cancel(name, who)

    @made.post("/timers/{name}/pause", status_code=204)
    def pause_timer(name: str, who: Actor) -> None:
        """Let a timer not fire. What is missed meanwhile is not made up for."""
        site.control.pause_timer(name, who)

    @made.post("/timers/{name}/resume", status_code=204)
    def resume_timer(name: str, who: Actor) -> None:
        """Let a timer fire again."""
        site.control.resume_timer(name, who)

    return made

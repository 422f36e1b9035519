"""The API of timers."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter

from afterwork.store.timers import Cancellation
from afterwork.web.api.parameters import Actor
from afterwork.web.api.views import view_route
from afterwork.web.site import Site


@dataclass(frozen=True)
class StartedRound:
    """A round that was begun by hand, and the number of its matches."""

    matches: int


@dataclass(frozen=True)
class DryRun:
    """The objects that a round would match now, in order. [null] is the one run of a job without a root."""

    would_match: Sequence[str | None]


def router(site: Site) -> APIRouter:
    """Return the routes of timers, and of the acts on them."""
    made = APIRouter(tags=["timers"])

    view_route(made, "/timers", site.insight.timers)
    view_route(made, "/timers/{name}", site.insight.timer)

    @made.get("/timers/{name}/dry-run")
    def dry_run_of_timer(name: str) -> DryRun:
        """Return the objects that a round would match now. Changes nothing."""
        return DryRun(site.control.dry_run(name))

    @made.post("/timers/{name}/run")
    def run_timer(name: str, who: Actor) -> StartedRound:
        """Begin a round now, besides those at due times."""
        return StartedRound(site.control.run_now(name, who))

    @made.post("/timers/{name}/cancel")
    def cancel_timer(name: str, who: Actor) -> Cancellation:
        """End the rest of a round, and ask its current runs to stop."""
        return site.control.cancel(name, who)

    @made.post("/timers/{name}/pause", status_code=204)
    def pause_timer(name: str, who: Actor) -> None:
        """Stop a timer from firing. It does not make up for what it misses."""
        site.control.pause_timer(name, who)

    @made.post("/timers/{name}/resume", status_code=204)
    def resume_timer(name: str, who: Actor) -> None:
        """Let a timer fire again."""
        site.control.resume_timer(name, who)

    return made

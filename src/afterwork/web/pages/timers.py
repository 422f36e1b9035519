"""Timers: when they fire, what their runs came to, and what can be done to them."""

from collections.abc import Sequence

from markupsafe import Markup
from starlette.requests import Request

from afterwork.insight.history import RunMinute
from afterwork.pictures.charts import Bar, bar_chart
from afterwork.web.page import ActRequest, Page, PageAct, PageContent
from afterwork.web.render import seconds
from afterwork.web.site import Site

MAX_CHART_BARS = 40
"""Rounds that a chart shows at most: minutes in which runs of the timer ended."""

MAX_NAMED = 500
"""Objects that a dry run names at most."""


def show(site: Site, request: Request) -> PageContent:
    """All timers."""
    return PageContent("timers.html", {"timers": site.insight.timers()})


def show_one(site: Site, request: Request) -> PageContent:
    """One timer. With `?dry=1`, also which objects a round would match now."""
    found = site.insight.timer(request.path_params["name"])
    dry = None
    if request.query_params.get("dry") and found.timer.known:
        dry = site.control.dry_run(found.timer.name)
    past = found.past[-MAX_CHART_BARS:]
    given = {"found": found, "matches": chart_of_matches(past), "took": chart_of_seconds(past), "has_past": bool(past)}
    return PageContent("timer.html", {**given, "dry": dry, "most_named": MAX_NAMED})


def chart_of_matches(past: Sequence[RunMinute]) -> Markup:
    """How many objects each round matched, and how many of those runs failed."""
    shown = [
        Bar(
            [("timer", one.done), ("failed", one.failed + one.put_off)],
            f"{_at(one)}: {one.done:,} done, {one.failed:,} failed, {one.put_off:,} put off",
        )
        for one in past
    ]
    return bar_chart(shown, "Matches of the last rounds", *_ends(past))


def chart_of_seconds(past: Sequence[RunMinute]) -> Markup:
    """How long the runs of each round took, all together."""
    shown = [Bar([("timer", one.seconds)], f"{_at(one)}: {seconds(one.seconds)}") for one in past]
    return bar_chart(shown, "Seconds that the runs of the last rounds took", *_ends(past))


def _ends(past: Sequence[RunMinute]) -> tuple[str, str]:
    return (_at(past[0]), _at(past[-1]) if len(past) > 1 else "") if past else ("", "")


def _at(one: RunMinute) -> str:
    return f"{one.minute:%H:%M} UTC"


def _run(site: Site, asked: ActRequest) -> str:
    name = str(asked.path["name"])
    return f"{name} has {site.control.run_now(name, asked.who):,} matches. Servers run them now."


def _cancel(site: Site, asked: ActRequest) -> str:
    name = str(asked.path["name"])
    found = site.control.cancel(name, asked.who)
    asked_too = f", and {found.asked_to_stop:,} that run were asked to stop" if found.asked_to_stop else ""
    return f"{found.ended:,} matches of {name} cancelled{asked_too}."


def _pause(site: Site, asked: ActRequest) -> str:
    name = str(asked.path["name"])
    site.control.pause_timer(name, asked.who)
    return f"Timer {name} is paused. What runs goes on; nothing more begins."


def _resume(site: Site, asked: ActRequest) -> str:
    name = str(asked.path["name"])
    site.control.resume_timer(name, asked.who)
    return f"Timer {name} is open."


PAGES = (Page("/timers", show), Page("/timers/{name}", show_one))
ACTS = (
    PageAct("/timers/{name}/run", _run),
    PageAct("/timers/{name}/cancel", _cancel),
    PageAct("/timers/{name}/pause", _pause),
    PageAct("/timers/{name}/resume", _resume),
)

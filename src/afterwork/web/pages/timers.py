"""Pages of timers: their due times and their runs."""

from collections.abc import Sequence

from markupsafe import Markup
from starlette.requests import Request

from afterwork.insight.history import RunMinute
from afterwork.pictures.charts import Bar, bar_chart
from afterwork.web.page import Page, PageContent, Site
from afterwork.web.render import seconds

MAX_CHART_BARS = 40
"""The most bars of a chart, each a minute in which runs of the timer ended."""

MAX_NAMED = 500
"""The most objects of a dry run that are named."""


def show(site: Site, request: Request) -> PageContent:
    return PageContent("timers.html", {"timers": site.insight.timers()})


def show_one(site: Site, request: Request) -> PageContent:
    """Show one timer. With `?dry=1`, also the objects that a round would match now."""
    detail = site.insight.timer(request.path_params["name"])
    dry = None
    if request.query_params.get("dry") and detail.timer.known:
        dry = site.control.dry_run(detail.timer.name)
    past = detail.past[-MAX_CHART_BARS:]
    charts = {"matches": chart_of_matches(past), "took": chart_of_seconds(past)}
    given = {"detail": detail, **charts, "has_past": bool(past), "has_work": site.has_work(detail.timer.name)}
    return PageContent("timer.html", {**given, "dry": dry, "most_named": MAX_NAMED})


def chart_of_matches(past: Sequence[RunMinute]) -> Markup:
    """Return the chart of the matches of each round, and of those that failed."""
    shown = [
        Bar(
            [("timer", minute.done), ("failed", minute.failed + minute.put_off)],
            f"{_at(minute)}: {minute.done:,} done, {minute.failed:,} failed, {minute.put_off:,} put off",
        )
        for minute in past
    ]
    return bar_chart(shown, "Matches of the last rounds", *_ends(past))


def chart_of_seconds(past: Sequence[RunMinute]) -> Markup:
    """Return the chart of the total duration of each round's runs."""
    shown = [Bar([("timer", minute.seconds)], f"{_at(minute)}: {seconds(minute.seconds)}") for minute in past]
    return bar_chart(shown, "Seconds that the runs of the last rounds took", *_ends(past))


def _ends(past: Sequence[RunMinute]) -> tuple[str, str]:
    return (_at(past[0]), _at(past[-1]) if len(past) > 1 else "") if past else ("", "")


def _at(minute: RunMinute) -> str:
    return f"{minute.minute:%H:%M} UTC"


PAGES = (Page("/timers", show), Page("/timers/{name}", show_one))

"""The first page: the overview."""

from collections.abc import Sequence
from typing import get_args

from starlette.requests import Request

from afterwork.events import SourceKind
from afterwork.insight import OverviewMinute
from afterwork.pictures.charts import Bar, bar_chart
from afterwork.web.page import Page, PageContent, Site

KINDS: Sequence[SourceKind] = get_args(SourceKind)


def show(site: Site, request: Request) -> PageContent:
    """Show a few numbers, the last hour, and what needs attention."""
    overview = site.overview()
    done = sum(sum(minute.done.values()) for minute in overview.minutes)
    label = f"Runs in each minute of the last hour, by what started them: {done:,} done, {overview.failed:,} failed"
    chart = bar_chart([_bar(minute) for minute in overview.minutes], label, "an hour ago", "now")
    given = {"overview": overview, "done": done, "chart": chart, "kinds": KINDS}
    return PageContent("overview.html", given)


def _bar(minute: OverviewMinute) -> Bar:
    words = [f"{count:,} by {kind}" for kind, count in minute.done.items() if count]
    words += [f"{minute.failed:,} failed"] if minute.failed else []
    title = f"{minute.minute:%H:%M} UTC: {', '.join(words) or 'nothing'}"
    return Bar([*minute.done.items(), ("failed", minute.failed)], title)


PAGES = (Page("/", show),)

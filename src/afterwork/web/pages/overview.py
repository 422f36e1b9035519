"""The first page: whether all is well, and what is to be done if not."""

from collections.abc import Sequence
from typing import get_args

from markupsafe import Markup
from starlette.requests import Request

from afterwork.events import SourceKind
from afterwork.insight import OverviewMinute
from afterwork.pictures.charts import Bar, bar_chart
from afterwork.web.page import Page, PageContent
from afterwork.web.site import Site

KINDS: Sequence[SourceKind] = get_args(SourceKind)


def show(site: Site, request: Request) -> PageContent:
    """A few numbers, the last hour, and what needs attention."""
    found = site.insight.overview()
    done = sum(sum(one.done.values()) for one in found.minutes)
    given = {"found": found, "done": done, "chart": _chart(found.minutes, done, found.failed), "kinds": KINDS}
    return PageContent("overview.html", given)


def _chart(minutes: Sequence[OverviewMinute], done: int, failed: int) -> Markup:
    label = f"Runs in each minute of the last hour, by what started them: {done:,} done, {failed:,} failed"
    return bar_chart([_bar(one) for one in minutes], label, "an hour ago", "now")


def _bar(one: OverviewMinute) -> Bar:
    words = [f"{count:,} by {kind}" for kind, count in one.done.items() if count]
    words += [f"{one.failed:,} failed"] if one.failed else []
    title = f"{one.minute:%H:%M} UTC: {', '.join(words) or 'nothing'}"
    return Bar([*one.done.items(), ("failed", one.failed)], title)


PAGES = (Page("/", show),)

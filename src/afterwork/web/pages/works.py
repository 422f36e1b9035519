"""Pages of works: all that has run within a span, and one work with its runs, its failures and what it depends on."""

from collections.abc import Mapping, Sequence
from typing import get_args

from markupsafe import Markup
from starlette.requests import Request

from afterwork.errors import BadRequest, shown
from afterwork.events import SourceKind
from afterwork.insight.runs_over_time import LENGTHS, Distribution, RunPeriod, RunsOverTime, Span
from afterwork.pictures.charts import Bar, bar_chart
from afterwork.web.page import Page, PageContent, Site
from afterwork.web.render import seconds

SPANS: tuple[Span, ...] = tuple(LENGTHS)
KINDS: tuple[SourceKind, ...] = get_args(SourceKind)


def show(site: Site, request: Request) -> PageContent:
    """Show what has run within a span: all of it, or that of one kind, lane or server."""
    query = request.query_params
    span, kind, server = span_of(query.get("span", "")), kind_of(query.get("kind", "")), query.get("server", "")
    if server and not (server.isascii() and server.isdecimal()):
        raise BadRequest(f"There is no server {shown(server)}. Servers have numbers.")
    lane = query.get("lane") or None
    runs = site.insight.works(span, kind, lane, int(server) if server else None)
    chosen = {"kind": kind, "lane": lane, "server": server or None}
    options = "".join(f" --{name} {value}" for name, value in chosen.items() if value and name != "lane")
    given = {"runs": runs, "chart": chart_over_time(runs), "chosen": chosen, "options": options}
    return PageContent("works.html", {**given, **_choices(span), "declared": site.app.model.work_names})


def show_one(site: Site, request: Request) -> PageContent:
    """Show one work, with its runs of a span."""
    span = span_of(request.query_params.get("span", ""))
    detail = site.insight.work(request.path_params["name"], span)
    charts = {
        "chart": chart_over_time(detail.runs),
        "took": chart_of_durations(detail.took, "How long its code took"),
        "latency": chart_of_durations(detail.latency, "How long it was from due to done"),
    }
    return PageContent("work.html", {"detail": detail, **charts, **_choices(span)})


def _choices(span: Span) -> Mapping[str, object]:
    return {"span": span, "spans": SPANS, "kinds": KINDS}


def span_of(text: str) -> Span:
    """Return a span by its name, an hour without one. Raises `BadRequest` for an unknown one."""
    for span in SPANS:
        if text == span:
            return span
    if text:
        raise BadRequest(f"There is no span {shown(text)}. There are: {', '.join(SPANS)}.")
    return "hour"


def kind_of(text: str) -> SourceKind | None:
    """Return a kind of source by its name, None without one. Raises `BadRequest` for an unknown one."""
    for kind in KINDS:
        if text == kind:
            return kind
    if text:
        raise BadRequest(f"Nothing starts runs by {shown(text)}. They are started by: {', '.join(KINDS)}.")
    return None


def chart_over_time(runs: RunsOverTime) -> Markup:
    """Return the chart of the runs of a span, by what started them, and of those that failed."""
    label = f"Runs of the last {runs.span}: {runs.total.done:,} done, {runs.total.failed:,} failed"
    bars = [_bar(period, runs.span) for period in runs.periods]
    return bar_chart(bars, label, _at(runs.periods[0], runs.span), "now")


def _bar(period: RunPeriod, span: Span) -> Bar:
    parts: list[tuple[str, float]] = [(kind, period.done.get(kind, 0)) for kind in KINDS]
    return Bar([*parts, ("failed", period.failed)], f"{_at(period, span)}: {words_of(period)}")


def words_of(period: RunPeriod) -> str:
    """Return the runs of a period in words."""
    words = [f"{count:,} by {kind}" for kind in KINDS if (count := period.done.get(kind, 0))]
    others = (("failed", period.failed), ("put off", period.put_off))
    return ", ".join([*words, *(f"{count:,} {what}" for what, count in others if count)]) or "nothing"


def _at(period: RunPeriod, span: Span) -> str:
    return f"{period.at:%b %d, %H:%M} UTC" if span == "week" else f"{period.at:%H:%M} UTC"


def chart_of_durations(durations: Distribution, label: str) -> Markup:
    """Return the histogram of durations. Its bars are buckets, each about twice as wide as the one before."""
    buckets: Sequence[tuple[str, int]] = [
        (seconds(bucket.above) if bucket.most is None else seconds(bucket.most), bucket.count)
        for bucket in durations.buckets
    ]
    bars = [
        Bar([("cache", count)], f"{'more than' if bucket.most is None else 'up to'} {text}: {count:,}")
        for (text, count), bucket in zip(buckets, durations.buckets, strict=True)
    ]
    first = seconds(durations.buckets[0].above) if bars else ""
    last = ("more than " if bars and durations.buckets[-1].most is None else "") + (buckets[-1][0] if bars else "")
    return bar_chart(bars, label, first, last)


# A work of which somebody's ticket only thinks may have a stroke in its name, or lines.
PAGES = (Page("/works", show), Page("/works/{name}", show_one), Page("/works/{name:path}", show_one))

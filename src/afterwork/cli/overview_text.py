"""An overview as text: a few numbers, the last hour, and what needs attention."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from afterwork.cli.printing import sparkline, utc_text
from afterwork.insight import Attention, Overview, OverviewMinute
from afterwork.insight.attention import Level

HOUR_WIDTH = 60
"""Characters of the bars of the last hour."""


def status_view(overview: Overview) -> dict[str, object]:
    """Return an overview as JSON: the current status, the last hour, and what needs attention."""
    hour = {"latency": overview.latency, "failed": overview.failed, "minutes": overview.minutes}
    return {"verdict": overview.verdict, **vars(overview.status), **hour, "attention": overview.attention}


def status_lines(overview: Overview, twin: Callable[[str], str]) -> Iterator[str]:
    """Yield an overview as text. `twin` makes a full command of a short one."""
    yield str(overview.verdict)
    yield ""
    for name, value in number_rows(overview):
        yield f"{name:<8} {value}"
    yield ""
    for name, values in hour_rows(overview.minutes):
        yield f"{name:<8} {sparkline(values, HOUR_WIDTH)}  {sum(values):,}"
    yield ""
    yield from attention_lines(overview.attention, twin)


def number_rows(overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield a few numbers, each with its name."""
    status, latency = overview.status, overview.latency
    lanes = ", ".join(f"{count} in {lane}" for lane, count in status.waiting.items())
    oldest = "" if status.oldest is None else f"; the oldest for {status.oldest.total_seconds():,.1f} s"
    yield "waiting", f"{lanes or 'none'}{oldest}"
    yield "outside", f"{status.running:,} running"
    since = "" if status.stale_for is None else f"; the first for {status.stale_for.total_seconds():,.1f} s"
    yield "stale", f"{status.stale} caches{since}"
    yield "servers", ", ".join(status.servers) or "none"
    yield "paused", ", ".join(status.paused) or "none"
    if status.used_up:
        yield (
            "rates",
            ", ".join(f"{lane} used up until {utc_text(until)} UTC" for lane, until in status.used_up.items()),
        )
    if latency.p50 is None or latency.p99 is None:
        yield "latency", "no run has ended within an hour"
    else:
        yield "latency", f"median {_span(latency.p50)}, 99th percentile {_span(latency.p99)}, in the last hour"


def hour_rows(minutes: Sequence[OverviewMinute]) -> Iterator[tuple[str, Sequence[int]]]:
    """Yield the runs of each minute of the last hour: a row per active source, and one for failures."""
    rows = {kind: [minute.done[kind] for minute in minutes] for kind in (minutes[0].done if minutes else ())}
    yield from ((kind, values) for kind, values in rows.items() if any(values))
    failed = [minute.failed for minute in minutes]
    yield "failed", failed


def attention_lines(needs: Sequence[Attention], twin: Callable[[str], str]) -> Iterator[str]:
    """Yield what needs attention, with commands, the most urgent first."""
    yield "needs attention" if needs else "Nothing needs attention."
    for attention in needs:
        yield f"  {MARKS[attention.level]} {attention.what}. {attention.advice}"
        yield from (f"      {line}" for line in detail_lines(attention))
        yield f"      {twin(attention.command)}"


MARKS: Mapping[Level, str] = {"alarm": "!", "warning": "-", "note": "·"}


def detail_lines(attention: Attention) -> Iterator[str]:
    """Yield the error of something that needs attention, and since when and on what it was raised."""
    if attention.error is not None:
        yield attention.error
    since = [] if attention.since is None else [f"since {utc_text(attention.since)} UTC"]
    last = [] if attention.last_object is None else [f"last on {attention.last_object}"]
    if facts := ", ".join(since + last):
        yield facts


def _span(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"

"""An overview as text: a few numbers, the last hour, and what needs attention."""

from collections.abc import Callable, Iterator, Sequence

from afterwork.cli.printing import sparkline, utc_text
from afterwork.insight import Attention, Overview, OverviewMinute

HOUR_WIDTH = 60
"""Characters of the bars of the last hour."""


def status_view(found: Overview) -> dict[str, object]:
    """An overview as JSON has it: what there is now, and beside it the last hour and what needs attention."""
    hour = {"latency": found.latency, "failed": found.failed, "minutes": found.minutes}
    return {**vars(found.status), **hour, "attention": found.attention}


def status_lines(found: Overview, twin: Callable[[str], str]) -> Iterator[str]:
    """What goes on in a database, for people. `twin` makes a command of what is to be said."""
    for name, value in number_rows(found):
        yield f"{name:<8} {value}"
    yield ""
    for name, values in hour_rows(found.minutes):
        yield f"{name:<8} {sparkline(values, HOUR_WIDTH)}  {sum(values):,}"
    yield ""
    yield from attention_lines(found.attention, twin)


def number_rows(found: Overview) -> Iterator[tuple[str, str]]:
    """A few numbers, each with its name."""
    status, latency = found.status, found.latency
    lanes = ", ".join(f"{count} in {lane}" for lane, count in status.waiting.items())
    oldest = "" if status.oldest is None else f"; the oldest for {status.oldest.total_seconds():,.1f} s"
    yield "waiting", f"{lanes or 'none'}{oldest}"
    yield "outside", f"{status.running:,} running"
    since = "" if status.stale_for is None else f"; the first for {status.stale_for.total_seconds():,.1f} s"
    yield "stale", f"{status.stale} caches{since}"
    yield "servers", ", ".join(status.servers) or "none"
    yield "paused", ", ".join(status.paused) or "none"
    if status.paced:
        yield (
            "rates",
            ", ".join(f"{lane} used up until {utc_text(until)} UTC" for lane, until in status.paced.items()),
        )
    if latency.p50 is None or latency.p99 is None:
        yield "latency", "no run has ended within an hour"
    else:
        yield "latency", f"half within {_span(latency.p50)}, 99 of 100 within {_span(latency.p99)}, in the last hour"


def hour_rows(minutes: Sequence[OverviewMinute]) -> Iterator[tuple[str, Sequence[int]]]:
    """The runs of each minute of the last hour: a row for each kind of trigger that had any, and for those failed."""
    rows = {kind: [one.done[kind] for one in minutes] for kind in (minutes[0].done if minutes else ())}
    yield from ((kind, values) for kind, values in rows.items() if any(values))
    failed = [one.failed for one in minutes]
    yield "failed", failed


def attention_lines(needs: Sequence[Attention], twin: Callable[[str], str]) -> Iterator[str]:
    """What needs attention, with what to say; the most urgent first."""
    yield "needs attention" if needs else "Nothing needs attention."
    for one in needs:
        yield f"  {'!' if one.is_urgent else '-'} {one.what}. {one.advice}"
        yield f"      {twin(one.command)}"


def _span(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"

"""The command that shows past runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command
from afterwork.cli.printing import table_lines, utc_text
from afterwork.errors import NotThere, shown
from afterwork.insight import Latency, RunMinute, RunRecord
from afterwork.model.known_names import instead_of

HEAD = ("work", "by", "done", "failed", "put off", "mean ms", "waited s")
FAILURES_HEAD = ("failed (UTC)", "work", "root", "ticket", "error")


@dataclass(frozen=True)
class RecentRuns:
    """Recent runs: sums by minute, latency, and the newest failures."""

    minutes: Sequence[RunMinute]
    latency: Latency
    failures: Sequence[RunRecord]


@command(
    click.option(
        "--minutes", type=click.IntRange(min=1), default=60, show_default=True, help="How many minutes to look back."
    ),
    click.option("--work", metavar="NAME", help="Only this work: Customer.assign_number, or a view model."),
    click.option(
        "--most",
        type=click.IntRange(min=1),
        default=10,
        show_default=True,
        help="The maximum number of failures to show.",
    ),
)
def history(app: Afterwork, at: OpenedLate, minutes: int, work: str | None, most: int) -> Shown:
    """Show recent runs, how long they took, and which failed. Servers write these every few seconds."""
    since, insight = app.clock.now() - timedelta(minutes=minutes), app.insight(at.engine)
    failed, past = insight.failures(since, most, work), insight.past(since, work)
    if work is not None and not past.minutes and not failed:
        _check_work(app, work)
    recent = RecentRuns(past.minutes, past.latency, failed)
    return Shown(history_lines(recent), recent)


def _check_work(app: Afterwork, name: str) -> None:
    """Raise `NotThere` if the model has nothing of this name that runs."""
    model = app.model
    known = sorted(model.work_names)
    if name not in known and not model.knows(name):
        others = instead_of(name, known, verb="It has", listed_by="model")
        raise NotThere(f"The model has no work {shown(name)}. {others}")


def history_lines(recent: RecentRuns) -> Iterator[str]:
    """Yield recent runs as text."""
    if not recent.minutes:
        yield "Nothing has run in this time."
        return
    keys = sorted({(minute.work, minute.source) for minute in recent.minutes})
    yield from table_lines(HEAD, [_cells(recent.minutes, *key) for key in keys])
    if recent.latency.p50 is not None and recent.latency.p99 is not None:
        yield f"from due to done: median {recent.latency.p50:,.3f} s, 99th percentile {recent.latency.p99:,.3f} s"
    if recent.failures:
        yield ""
        yield from table_lines(FAILURES_HEAD, [_failure_cells(run) for run in recent.failures])


def _cells(minutes: Sequence[RunMinute], work: str, source: str) -> tuple[str, ...]:
    own = [minute for minute in minutes if (minute.work, minute.source) == (work, source)]
    done, failed, put_off = (sum(getattr(minute, name) for minute in own) for name in ("done", "failed", "put_off"))
    count = max(1, done + failed + put_off)
    mean, waited = sum(minute.seconds for minute in own) / count, sum(minute.wait for minute in own) / count
    return work, source, f"{done:,}", f"{failed:,}", f"{put_off:,}", f"{mean * 1000:.1f}", f"{waited:.1f}"


def _failure_cells(run: RunRecord) -> tuple[str, ...]:
    return utc_text(run.ended), run.work, run.root_id or "", run.ticket or "", run.error or ""

"""The command that shows past runs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, engine_at
from afterwork.cli.printing import print_result, table_lines, utc_text
from afterwork.insight import Latency, RunMinute, RunRecord


@dataclass(frozen=True)
class RecentRuns:
    """Recent runs: sums by minute, latency, and the newest failures."""

    minutes: Sequence[RunMinute]
    latency: Latency
    failures: Sequence[RunRecord]


@click.command("history")
@app_argument
@database_option()
@click.option(
    "--minutes", type=click.IntRange(min=1), default=60, show_default=True, help="How many minutes to look back."
)
@click.option("--work", metavar="NAME", help="Only this work: Customer.assign_number, or a view model.")
@click.option(
    "--most", type=click.IntRange(min=1), default=10, show_default=True, help="The maximum number of failures to show."
)
@as_json
def history(app: Afterwork, url: URL, minutes: int, work: str | None, most: int, as_json: bool) -> None:
    """Show recent runs, how long they took, and which failed. Servers write these every few seconds."""
    since = app.clock.now() - timedelta(minutes=minutes)
    with engine_at(url) as engine:
        insight = app.insight(engine)
        failed = insight.failures(since, most, work)
        past = insight.past(since, work)
        recent = RecentRuns(past.minutes, past.latency, failed)
    print_result("\n".join(history_lines(recent)), recent, as_json)


def history_lines(recent: RecentRuns) -> Iterator[str]:
    """Yield recent runs as text."""
    if not recent.minutes:
        yield "Nothing has run in this time."
        return
    head = ("work", "by", "done", "failed", "put off", "mean ms", "waited s")
    yield from table_lines(
        head, [_cells(recent.minutes, *key) for key in sorted({_key(record) for record in recent.minutes})]
    )
    if recent.latency.p50 is not None and recent.latency.p99 is not None:
        yield f"from due to done: median {recent.latency.p50:,.3f} s, 99th percentile {recent.latency.p99:,.3f} s"
    if recent.failures:
        yield ""
        yield from table_lines(
            ("failed (UTC)", "work", "root", "ticket", "error"), [_failure_cells(record) for record in recent.failures]
        )


def _key(minute: RunMinute) -> tuple[str, str]:
    return minute.work, minute.source


def _cells(minutes: Sequence[RunMinute], work: str, source: str) -> tuple[str, ...]:
    own = [minute for minute in minutes if _key(minute) == (work, source)]
    done, failed, put_off = (sum(getattr(minute, name) for minute in own) for name in ("done", "failed", "put_off"))
    count = max(1, done + failed + put_off)
    mean, waited = sum(minute.seconds for minute in own) / count, sum(minute.wait for minute in own) / count
    return work, source, f"{done:,}", f"{failed:,}", f"{put_off:,}", f"{mean * 1000:.1f}", f"{waited:.1f}"


def _failure_cells(record: RunRecord) -> tuple[str, ...]:
    return utc_text(record.ended), record.work, record.root_id or "", record.ticket or "", record.error or ""

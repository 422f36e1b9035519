"""Commands about works and what they have done."""

from collections.abc import Iterator, Sequence
from typing import get_args

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command
from afterwork.cli.model import work_lines
from afterwork.cli.printing import sparkline, table_lines, utc_text
from afterwork.events import SourceKind
from afterwork.insight.runs_over_time import LENGTHS, Distribution, RunGroup, RunsOverTime, Span
from afterwork.insight.works import WorkDetail

HEAD = ("done", "failed", "put off", "mean ms", "waited s")

SPARK_WIDTH = 60
"""The most characters of the bars of a span."""

span_option = click.option(
    "--span", type=click.Choice(tuple(LENGTHS)), default="hour", show_default=True, help="How far to look back."
)


@command(
    span_option,
    click.option("--kind", type=click.Choice(get_args(SourceKind)), help="Only runs that this has started."),
    click.option("--lane", metavar="LANE", help="Only runs of works that declare this lane."),
    click.option("--server", metavar="NUMBER", type=int, help="Only runs of this server."),
)
def works(
    app: Afterwork, at: OpenedLate, span: Span, kind: SourceKind | None, lane: str | None, server: int | None
) -> Shown:
    """Show what has run within a span: by work, by what started it, by lane and by server."""
    runs = app.insight(at.engine).works(span, kind, lane, server)
    return Shown(_runs_lines(runs), runs)


def _runs_lines(runs: RunsOverTime) -> Iterator[str]:
    yield from _over_time(runs)
    for what, groups in (("work", runs.works), ("by", runs.kinds), ("lane", runs.lanes), ("server", runs.servers)):
        if groups:
            yield ""
            yield from _group_lines(what, groups)


def _over_time(runs: RunsOverTime) -> Iterator[str]:
    total = runs.total
    yield f"last {runs.span}: {total.done:,} done, {total.failed:,} failed, {total.put_off:,} put off"
    if total.ended:
        ended = [sum(period.done.values()) + period.failed + period.put_off for period in runs.periods]
        yield f"{sparkline(ended, SPARK_WIDTH)}  {runs.per_hour:,.1f} per hour"


def _group_lines(what: str, groups: Sequence[RunGroup]) -> Iterator[str]:
    yield from table_lines((what, *HEAD), [_cells(group) for group in groups])


def _cells(group: RunGroup) -> tuple[str, ...]:
    counts = f"{group.done:,}", f"{group.failed:,}", f"{group.put_off:,}"
    return group.name, *counts, f"{(group.mean or 0) * 1000:.1f}", f"{group.waited or 0:.1f}"


@command(click.argument("name"), span_option)
def work(app: Afterwork, at: OpenedLate, name: str, span: Span) -> Shown:
    """Show the work NAME: what starts it, its runs of a span, what failed, what waits, and who depends on it.

    (Customer.assign_number, Order.total, or a view model, a machine or a job function.)
    """
    detail = app.insight(at.engine).work(name, span)
    return Shown(_work_lines(detail), detail)


def _work_lines(detail: WorkDetail) -> Iterator[str]:
    kind = detail.kind or "no longer in the model"
    yield f"{detail.name}  {kind}" + (f" of {detail.root}" if detail.root else "")
    yield from filter(None, [detail.doc])
    if detail.declared is not None:
        yield from work_lines(detail.declared, "", "")
    yield ""
    yield from _over_time(detail.runs)
    yield from _duration_lines("from due to done", detail.latency)
    yield from _duration_lines("its own code", detail.took)
    yield ""
    yield from _dependency_lines(detail)
    if detail.waiting:
        yield f"tickets: {', '.join(f'{count} {state}' for state, count in detail.waiting.items())}"
    if detail.timer is not None:
        yield f"timer: {detail.timer.schedule}, {detail.timer.left} matches left"
    for run in detail.failures:
        yield f"failed {utc_text(run.ended)} UTC  {run.root_id or ''}  {(run.error or '').partition(chr(10))[0]}"


def _duration_lines(what: str, took: Distribution) -> Iterator[str]:
    if took.p50 is not None and took.p90 is not None and took.p99 is not None:
        yield f"{what}: median {took.p50:,.3f} s, 90 % {took.p90:,.3f} s, 99 % {took.p99:,.3f} s"


def _dependency_lines(detail: WorkDetail) -> Iterator[str]:
    if detail.cache is None:
        return
    yield f"{detail.cache.fresh} fresh, {detail.cache.stale} stale, {detail.cache.failed} of these failed"
    for what, names in (("reads", detail.reads), ("fed by", detail.fed_by), ("read by", detail.read_by)):
        if names:
            yield f"{what} {', '.join(names)}"

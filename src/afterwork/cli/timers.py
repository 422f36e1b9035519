"""The command about timers."""

from collections.abc import Iterator, Sequence

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, database_option, engine_at
from afterwork.cli.printing import print_result, progress_text, table_lines, utc_text
from afterwork.insight import TimerView
from afterwork.store.progress import ReportedProgress


@click.command()
@app_argument
@database_option()
@as_json
def timers(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show each timer: when it is due, and the result of its last round."""
    with engine_at(url) as engine:
        views = app.insight(engine).timers()
    print_result("\n".join(timer_lines(views)), views, as_json)


def timer_lines(timers: Sequence[TimerView]) -> Iterator[str]:
    """Yield timers as text."""
    head = (
        "timer",
        "when",
        "lane",
        "next (UTC)",
        "last (UTC)",
        "took",
        "matches",
        "failed",
        "left",
        "error",
        "running",
    )
    yield from table_lines(head, [_timer_cells(timer) for timer in timers]) if timers else ["The model has no timers."]


def _timer_cells(timer: TimerView) -> tuple[str, ...]:
    name = timer.name if timer.known else f"{timer.name} (no longer in the model)"
    coming = "paused" if timer.paused else utc_text(timer.due) if timer.known else "never"
    took = "" if timer.took is None else f"{timer.took:.1f} s"
    counts = f"{timer.matches:,}", f"{timer.failed:,}", str(timer.left)
    said = timer.error or "", "; ".join(map(_said, timer.running))
    return (name, timer.schedule, timer.lane or "", coming, utc_text(timer.fired), took, *counts, *said)


def _said(run: ReportedProgress) -> str:
    return f"{run.root_id or 'run'} {progress_text(run)}{' (stopping)' if run.stopping else ''}"


def dry_lines(timer: str, roots: Sequence[str | None]) -> Iterator[str]:
    """Yield the objects that a round would match, as text."""
    match roots:
        case []:
            yield f"{timer} would match nothing now: its criteria finds no object, or its `before` says no."
        case [None]:
            yield f"{timer} has no root. It would run once."
        case _:
            yield f"{timer} would match {len(roots):,}:"
            yield from (f"  {root}" for root in roots)

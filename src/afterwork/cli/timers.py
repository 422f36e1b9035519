"""The commands about timers, and about actions that run once per database."""

from collections.abc import Iterator, Sequence

import click

from afterwork.app import Afterwork
from afterwork.cli.arguments import OpenedLate, Shown, command
from afterwork.cli.printing import name_text, progress_text, table_lines, utc_text
from afterwork.insight import OnceView, TimerView
from afterwork.store.progress import ReportedProgress

HEAD = ["timer", "when", "lane", "next (UTC)", "last (UTC)", "took", "matches", "failed", "left", "error", "running"]


@command()
def timers(app: Afterwork, at: OpenedLate) -> Shown:
    """Show each timer: when it is due, and the result of its last round."""
    views = app.insight(at.engine).timers()
    return Shown(table_lines(HEAD, [_timer_cells(timer) for timer in views], "The model has no timers."), views)


def _timer_cells(timer: TimerView) -> tuple[str, ...]:
    coming = "paused" if timer.paused else utc_text(timer.due) if timer.known else "never"
    took = "" if timer.took is None else f"{timer.took:.1f} s"
    counts = f"{timer.matches:,}", f"{timer.failed:,}", str(timer.left)
    said = timer.error or "", "; ".join(map(_said, timer.running))
    return (name_text(timer), timer.schedule, timer.lane or "", coming, utc_text(timer.fired), took, *counts, *said)


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


ONCE_HEAD = ("action", "state", "ended (UTC)", "took", "result or error")


@command(click.option("--retry", metavar="NAME", help="Run the failed action NAME again."))
def once(app: Afterwork, at: OpenedLate, retry: str | None) -> Shown:
    """Show actions that run once per database: which have run, when, and their results."""
    if retry is not None:
        app.control(at.engine).retry_once(retry)
    actions = app.insight(at.engine).once()
    return Shown(
        table_lines(ONCE_HEAD, [_once_cells(action) for action in actions], "Nothing in the model runs once."), actions
    )


def _once_cells(action: OnceView) -> tuple[str, ...]:
    took = "" if action.seconds is None else f"{action.seconds:.1f} s"
    told = action.error or action.result or (f"until {action.waits_for} has succeeded" if action.waits_for else "")
    said = "" if action.said is None else progress_text(action.said)
    return name_text(action), action.state, utc_text(action.ended), took, told or said

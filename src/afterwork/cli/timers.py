"""The command line on timers."""

from collections.abc import Iterator, Sequence

import click
from sqlalchemy import URL

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, the_app, the_database
from afterwork.cli.printing import far, moment, say, table
from afterwork.insight import TimerView
from afterwork.store.progress import ReportedProgress


@click.command()
@the_app
@the_database()
@as_json
def timers(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show each timer: when it is due, and what came of its last round."""
    with engine_at(url) as engine:
        found = app.insight(engine).timers()
    say("\n".join(timer_lines(found)), found, as_json)


def timer_lines(timers: Sequence[TimerView]) -> Iterator[str]:
    """Timers, for people."""
    head = ("timer", "when", "lane", "next (UTC)", "last (UTC)", "took", "hits", "failed", "left", "error", "goes on")
    yield from table(head, [_timer_cells(one) for one in timers]) if timers else ["The model has no timers."]


def _timer_cells(one: TimerView) -> tuple[str, ...]:
    name = one.name if one.known else f"{one.name} (not in the model any more)"
    coming = "paused" if one.paused else moment(one.due) if one.known else "never"
    took = "" if one.took is None else f"{one.took:.1f} s"
    counts = f"{one.hits:,}", f"{one.failed:,}", str(one.left)
    said = one.error or "", "; ".join(map(_said, one.running))
    return (name, one.schedule, one.lane or "", coming, moment(one.fired), took, *counts, *said)


def _said(run: ReportedProgress) -> str:
    return f"{run.root_id or 'run'} {far(run)}{' (is to stop)' if run.stopping else ''}"


def dry_lines(timer: str, found: Sequence[str | None]) -> Iterator[str]:
    """What a round would hit, for people."""
    match found:
        case []:
            yield f"{timer} would hit nothing now: its criteria finds no object, or its `before` says no."
        case [None]:
            yield f"{timer} has no root. It would run once."
        case _:
            yield f"{timer} would hit {len(found):,}:"
            yield from (f"  {root}" for root in found)

"""Commands about caches."""

import shlex
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import get_args

import click
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import (
    OpenedLate,
    Shown,
    command,
    current_user,
    object_at,
    one_of,
)
from afterwork.cli.printing import name_text, table_lines, utc_text
from afterwork.derived.compute.verify import Verified
from afterwork.derived.explain.explanation import CacheState
from afterwork.derived.explain.readers import Reader
from afterwork.insight import BackfillProgress, CacheLine, CacheSummary, ListPage

HEAD = ("cache", "kept right", "fresh", "stale", "of these failed", "runs", "mean ms", "backfilled", "made stale by")
LIST_HEAD = ("object", "state", "runs", "last run (UTC)", "ms", "because", "error")


@command(
    click.argument("name", required=False),
    click.option("--state", type=one_of(get_args(CacheState)), help="List only the objects of NAME in this state."),
    click.option("--after", metavar="PLACE", help="Continue a list at the PLACE named at its end."),
)
def caches(app: Afterwork, at: OpenedLate, name: str | None, state: CacheState | None, after: str | None) -> Shown:
    """Show each cache over all objects: counts by state, runs, causes, and the progress of its backfill. With NAME,
    list the objects of that one: Customer.total --state stale."""
    if name is None and (state or after):
        raise click.UsageError("--state and --after are for the list of one cache. Name it: Customer.total")
    insight = app.insight(at.engine)
    if name is None:
        summaries = insight.caches()
        return Shown(cache_lines(summaries, app.clock.now()), summaries)
    summary = insight.cache(name)
    listed = insight.caches_of(summary.name, state, after)
    return Shown(_list_lines(listed, summary), listed)


def cache_lines(caches: Sequence[CacheSummary], now: datetime) -> Iterator[str]:
    """Yield caches over all objects as text."""
    yield from table_lines(HEAD, [_cache_cells(cache, now) for cache in caches], "The model has no caches.")
    for cache in caches:
        if cache.waiting.number:
            yield f"{cache.name}: {waiting_text(cache)}"
    for cache in caches:
        if cache.why_not_in_sets is not None:
            yield f"{cache.name} is not refreshed in sets, since {cache.why_not_in_sets}."


def waiting_text(cache: CacheSummary) -> str:
    """Return that changes wait, in words."""
    changes = "1 change waits" if str(cache.waiting) == "1" else f"{cache.waiting} changes wait"
    return f"{changes} to be looked at by a server, so at least {cache.stale} are stale."


def _cache_cells(cache: CacheSummary, now: datetime) -> tuple[str, ...]:
    counts = str(cache.fresh), str(cache.stale), str(cache.failed), f"{cache.runs:,}"
    mean = "" if cache.mean is None else f"{cache.mean * 1000:.1f}"
    causes = ", ".join(cause.what for cause in cache.causes[:3])
    return (name_text(cache), cache.way, *counts, mean, _progress(cache.backfill, now), causes)


def _progress(backfill: BackfillProgress, now: datetime) -> str:
    if backfill.is_complete:
        return "yes"
    if backfill.share is None:
        return "not begun"
    left = backfill.left(now)
    return f"{backfill.share:.0%}" + ("" if left is None else f", about {timedelta(seconds=left.seconds)} left")


def _list_lines(listed: ListPage[CacheLine], summary: CacheSummary) -> Iterator[str]:
    yield from table_lines(LIST_HEAD, [_line_cells(line) for line in listed.items], "No objects.")
    if listed.next is not None:
        yield f"More: --after {shlex.quote(listed.next)}"
    if summary.waiting.number:
        yield waiting_text(summary)


def _line_cells(line: CacheLine) -> tuple[str, ...]:
    took = "" if line.took is None else f"{line.took * 1000:.1f}"
    because = str(line.stale or line.because or "")
    last = utc_text(line.computed or line.changed)
    return line.root_id, line.state, f"{line.runs:,}", last, took, because, line.error or ""


@command(
    click.argument("root"),
    click.argument("cache"),
    click.option("--who", default=current_user, show_default="you", help="Who asks for it."),
)
def recompute(app: Afterwork, at: OpenedLate, root: str, cache: str, who: str) -> Shown:
    """Recompute CACHE of ROOT although nothing that it read has changed. (Customer!42 total)"""
    app.control(at.engine).recompute(root, cache, who)
    return Shown([f"{cache} of {root} will run."], {"root": root, "cache": cache, "recomputed": True})


@command(click.argument("root"), click.argument("cache"))
def explain(app: Afterwork, at: OpenedLate, root: str, cache: str) -> Shown:
    """Explain CACHE of ROOT: its state, what it read, and what made it run. (Customer!42 total)"""
    with Session(at.engine) as session:
        explanation = app.explain(object_at(session, root, app), cache)
    return Shown([str(explanation)], explanation)


@command(click.argument("root"), click.argument("member"))
def impact(app: Afterwork, at: OpenedLate, root: str, member: str) -> Shown:
    """Show the caches that become stale if MEMBER of ROOT changes. (Line!7 quantity)"""
    with Session(at.engine) as session:
        readers = app.impact(object_at(session, root, app), member)
    return Shown(_impact_lines(readers, root, member), readers)


def _impact_lines(readers: Sequence[Reader], root: str, member: str) -> Iterator[str]:
    if not readers:
        yield f"No cache reads {member} of {root}."
        return
    become = "1 cache becomes" if len(readers) == 1 else f"{len(readers):,} caches become"
    yield f"If {member} of {root} changes, {become} stale or may follow:"
    for reader in readers:
        yield f"  {reader.name} of {reader.root_id}" + (f", through {reader.through}" if reader.through else "")


@command(
    click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Check only N random objects of each cache.")
)
def verify(app: Afterwork, at: OpenedLate, sample: int | None) -> Shown:
    """Recalculate all caches without storing them, and show differences. Exits with 1 if there are any."""
    verified = app.verify(at.engine, sample)
    return Shown(_verified_lines(verified), verified, 1 if verified.differences else 0)


def _verified_lines(verified: Verified) -> Iterator[str]:
    for name, count in verified.checked.items():
        left_out = verified.left_out.get(name)
        yield f"{name}: {count:,} recalculated" + (f", {left_out:,} left out: not fresh" if left_out else "")
    for difference in verified.differences:
        side = "in SQL " if difference.in_sql else ""
        what = f"{difference.name} of {difference.root_id} is {difference.stored}"
        yield f"WRONG  {what}, but {side}calculated {difference.calculated}"
    if verified.is_behind:
        yield "Changes wait, or a backfill is under way: values may differ because of that. See: afterwork status"
    yield f"{len(verified.differences):,} differences"

"""Commands about caches."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import get_args

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import app_argument, as_json, current_user, database_option, engine_at, object_at
from afterwork.cli.printing import print_result, table_lines, utc_text
from afterwork.derived.compute.verify import Verified
from afterwork.derived.explain.explainer import Reader, State
from afterwork.insight import BackfillProgress, CacheLine, CacheSummary, ListPage


@click.command()
@app_argument
@click.argument("name", required=False)
@database_option()
@click.option("--state", type=click.Choice(get_args(State)), help="List only the objects of NAME in this state.")
@click.option("--after", metavar="PLACE", help="Continue a list at the PLACE named at its end.")
@as_json
def caches(app: Afterwork, name: str | None, url: URL, state: State | None, after: str | None, as_json: bool) -> None:
    """Show each cache over all objects: counts by state, runs, causes, and the progress of its backfill. With NAME,
    list the objects of that one: Customer.total --state stale."""
    if name is None and (state or after):
        raise click.UsageError("--state and --after are for the list of one cache. Name it: Customer.total")
    with engine_at(url) as engine:
        insight = app.insight(engine)
        if name is None:
            summaries = insight.caches()
            print_result("\n".join(cache_lines(summaries, app.clock.now())), summaries, as_json)
        else:
            listed = insight.caches_of(insight.cache(name).name, state, after)
            print_result("\n".join(list_lines(listed)), listed, as_json)


def cache_lines(caches: Sequence[CacheSummary], now: datetime) -> Iterator[str]:
    """Yield caches over all objects as text."""
    head = ("cache", "fresh", "stale", "failed", "runs", "mean ms", "backfilled", "made stale by")
    yield from (
        table_lines(head, [_cache_cells(cache, now) for cache in caches]) if caches else ["The model has no caches."]
    )


def _cache_cells(cache: CacheSummary, now: datetime) -> tuple[str, ...]:
    mean = "" if cache.mean is None else f"{cache.mean * 1000:.1f}"
    name = cache.name if cache.known else f"{cache.name} (no longer in the model)"
    causes = ", ".join(cause.what for cause in cache.causes[:3])
    counts = str(cache.fresh), str(cache.stale), str(cache.failed), f"{cache.runs:,}"
    return name, *counts, mean, _progress(cache.backfill, now), causes


def _progress(backfill: BackfillProgress, now: datetime) -> str:
    if backfill.is_complete:
        return "yes"
    if backfill.share is None:
        return "not begun"
    left = backfill.left(now)
    return f"{backfill.share:.0%}" + ("" if left is None else f", about {timedelta(seconds=left.seconds)} left")


def list_lines(listed: ListPage[CacheLine]) -> Iterator[str]:
    """Yield the objects of one cache as text."""
    head = ("object", "state", "runs", "last run (UTC)", "ms", "because", "error")
    yield from table_lines(head, [_line_cells(line) for line in listed.items]) if listed.items else ["No objects."]
    if listed.next is not None:
        yield f"More: --after {shlex.quote(listed.next)}"


def _line_cells(line: CacheLine) -> tuple[str, ...]:
    took = "" if line.took is None else f"{line.took * 1000:.1f}"
    because = line.stale or line.because
    return (
        line.root_id,
        line.state,
        f"{line.runs:,}",
        utc_text(line.computed),
        took,
        str(because or ""),
        line.error or "",
    )


@click.command()
@app_argument
@click.argument("root")
@click.argument("cache")
@database_option()
@click.option("--who", default=current_user, show_default="you", help="Who asks for it.")
def recompute(app: Afterwork, root: str, cache: str, url: URL, who: str) -> None:
    """Recompute CACHE of ROOT although nothing that it read has changed. (Customer!42 total)"""
    with engine_at(url) as engine:
        app.control(engine).recompute(root, cache, who)
    click.echo(f"{cache} of {root} will run.")


@click.command()
@app_argument
@click.argument("root")
@click.argument("cache")
@database_option()
@as_json
def explain(app: Afterwork, root: str, cache: str, url: URL, as_json: bool) -> None:
    """Explain CACHE of ROOT: its state, what it read, and what made it run. (Customer!42 total)"""
    with engine_at(url) as engine, Session(engine) as session:
        explanation = app.explain(object_at(session, root, app), cache)
    print_result(str(explanation), explanation, as_json)


@click.command()
@app_argument
@click.argument("root")
@click.argument("member")
@database_option()
@as_json
def impact(app: Afterwork, root: str, member: str, url: URL, as_json: bool) -> None:
    """Show the caches that become stale if MEMBER of ROOT changes. (Line!7 quantity)"""
    with engine_at(url) as engine, Session(engine) as session:
        readers = app.impact(object_at(session, root, app), member)
    print_result("\n".join(impact_lines(readers, root, member)), readers, as_json)


def impact_lines(readers: Sequence[Reader], root: str, member: str) -> Iterator[str]:
    """Yield the readers of a member as text."""
    yield (
        f"If {member} of {root} changes, {len(readers):,} caches become stale or may follow:"
        if readers
        else (f"No cache reads {member} of {root}.")
    )
    for reader in readers:
        yield f"  {reader.name} of {reader.root_id}" + (f", through {reader.through}" if reader.through else "")


@click.command()
@app_argument
@database_option()
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Check only N random objects of each cache.")
@as_json
def verify(app: Afterwork, url: URL, sample: int | None, as_json: bool) -> None:
    """Recalculate all caches without storing them, and show differences. Exits with 1 if there are any."""
    with engine_at(url) as engine:
        verified = app.verify(engine, sample)
    print_result("\n".join(verified_lines(verified)), verified, as_json)
    sys.exit(1 if verified.differences else 0)


def verified_lines(verified: Verified) -> Iterator[str]:
    """Yield the result of a verification as text."""
    for name, count in verified.checked.items():
        yield f"{name}: {count:,} recalculated"
    for difference in verified.differences:
        calculated = f"{'in SQL ' if difference.in_sql else ''}calculated {difference.calculated}"
        yield f"WRONG  {difference.name} of {difference.root_id} is {difference.stored}, but {calculated}"
    yield f"{len(verified.differences):,} differences"

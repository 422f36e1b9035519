"""The command line on caches."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import click
from sqlalchemy import URL
from sqlalchemy.orm import Session

from afterwork.app import Afterwork
from afterwork.cli.arguments import as_json, engine_at, object_at, the_app, the_database
from afterwork.cli.printing import say, table
from afterwork.manifest.explain import CacheSummary, Reader
from afterwork.triggers.verify import Verified


@click.command()
@the_app
@the_database()
@as_json
def caches(app: Afterwork, url: URL, as_json: bool) -> None:
    """Show each cache over all objects: fresh, stale, failed, its runs, and how far it is filled."""
    with engine_at(url) as engine:
        found = app.insight(engine).caches()
    say("\n".join(cache_lines(found)), found, as_json)


def cache_lines(caches: Sequence[CacheSummary]) -> Iterator[str]:
    """Caches over all objects, for people."""
    head = ("cache", "fresh", "stale", "failed", "runs", "mean ms", "filled")
    yield from table(head, [_cache_cells(one) for one in caches]) if caches else ["The model has no caches."]


def _cache_cells(one: CacheSummary) -> tuple[str, ...]:
    mean = "" if one.mean is None else f"{one.mean * 1000:.1f}"
    name = one.name if one.known else f"{one.name} (not in the model any more)"
    return (name, f"{one.fresh:,}", f"{one.stale:,}", f"{one.failed:,}", f"{one.runs:,}", mean, _filled(one))


def _filled(one: CacheSummary) -> str:
    if one.is_filled:
        return "yes"
    done = max(0, one.filled - one.stale)
    if not one.total or one.began is None:
        return "not begun"
    share = min(1.0, done / one.total)
    passed = (datetime.now(UTC) - one.began).total_seconds()
    left = f", about {timedelta(seconds=round(passed / share - passed))} left" if share else ""
    return f"{share:.0%}{left}"


@click.command()
@the_app
@click.argument("root")
@click.argument("cache")
@the_database()
@as_json
def explain(app: Afterwork, root: str, cache: str, url: URL, as_json: bool) -> None:
    """Show why CACHE of ROOT is what it is: what it read, and what made it run. (Customer!42 total)"""
    with engine_at(url) as engine, Session(engine) as session:
        found = app.explain(object_at(session, root, app), cache)
    say(str(found), found, as_json)


@click.command()
@the_app
@click.argument("root")
@click.argument("member")
@the_database()
@as_json
def impact(app: Afterwork, root: str, member: str, url: URL, as_json: bool) -> None:
    """Show the caches that become stale if MEMBER of ROOT changes. (Line!7 quantity)"""
    with engine_at(url) as engine, Session(engine) as session:
        found = app.impact(object_at(session, root, app), member)
    say("\n".join(impact_lines(found, root, member)), found, as_json)


def impact_lines(readers: Sequence[Reader], root: str, member: str) -> Iterator[str]:
    """Who reads a member, for people."""
    yield (
        f"If {member} of {root} changes, {len(readers):,} caches become stale or may follow:"
        if readers
        else (f"No cache reads {member} of {root}.")
    )
    for reader in readers:
        yield f"  {reader.name} of {reader.root_id}" + (f", by way of {reader.through}" if reader.through else "")


@click.command()
@the_app
@the_database()
@click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Of each cache only N, picked by chance.")
@as_json
def verify(app: Afterwork, url: URL, sample: int | None, as_json: bool) -> None:
    """Calculate again without storing, and show what differs. Exits with 1 if something does."""
    with engine_at(url) as engine:
        found = app.verify(engine, sample)
    say("\n".join(verified_lines(found)), found, as_json)
    sys.exit(1 if found.differences else 0)


def verified_lines(verified: Verified) -> Iterator[str]:
    """What was calculated again, for people."""
    for name, count in verified.checked.items():
        yield f"{name}: {count:,} calculated again"
    for one in verified.differences:
        side = "in SQL " if one.in_sql else ""
        yield f"WRONG  {one.name} of {one.root_id} is {one.stored}, but {side}calculated {one.calculated}"
    yield f"{len(verified.differences):,} differences"

"""The overview: a few numbers, the last hour, and what needs attention, in words."""

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args
from urllib.parse import quote

from afterwork.events import SourceKind
from afterwork.insight.history import Latency, RunMinute
from afterwork.insight.once import OnceView
from afterwork.insight.status import Status
from afterwork.insight.timers import TimerView
from afterwork.store.bounded_count import NONE

HOUR = timedelta(hours=1)

OVERDUE_AFTER = timedelta(minutes=1)
"""Work that should run at once and has waited for longer needs attention."""

MAX_NAMED = 3
"""The most failed works that are named one by one."""


@dataclass(frozen=True)
class Attention:
    """Something that needs attention, with advice, a page of the web, and a command.

    The command leaves out `MODULE:APP` and the database. `about` identifies it, and stays the same while it lasts.
    With `is_urgent`, work is not done at all rather than late.
    """

    about: str
    what: str
    advice: str
    path: str
    command: str
    is_urgent: bool = False


@dataclass(frozen=True)
class OverviewMinute:
    """The runs that ended in one minute (UTC), by source; failed runs are counted apart, in `failed`."""

    minute: datetime
    done: Mapping[SourceKind, int]
    failed: int


@dataclass(frozen=True)
class Overview:
    """An installation at a glance. `latency`, `failed` and `minutes` cover the last hour, minute by minute, oldest
    first."""

    status: Status
    latency: Latency
    failed: int
    minutes: Sequence[OverviewMinute]
    attention: Sequence[Attention]


def last_hour(minutes: Sequence[RunMinute], now: datetime) -> Sequence[OverviewMinute]:
    """Return the sums of each minute of the last hour, including those in which nothing ended."""
    first = now.replace(second=0, microsecond=0) - HOUR + timedelta(minutes=1)
    done: dict[datetime, Counter[SourceKind]] = {}
    failed: Counter[datetime] = Counter()
    for run_minute in minutes:
        done.setdefault(run_minute.minute, Counter())[run_minute.source] += run_minute.done
        failed[run_minute.minute] += run_minute.failed
    kinds: tuple[SourceKind, ...] = get_args(SourceKind)
    return [
        OverviewMinute(at, {kind: done.get(at, Counter())[kind] for kind in kinds}, failed[at])
        for at in (first + timedelta(minutes=n) for n in range(60))
    ]


def attention(
    status: Status, minutes: Sequence[RunMinute], timers: Sequence[TimerView], once: Sequence[OnceView], now: datetime
) -> Iterator[Attention]:
    """Yield what needs attention, the most urgent first."""
    yield from _of_servers(status)
    yield from _of_once(once)
    yield from _of_timers(timers, now)
    yield from _of_failures(minutes)
    yield from _of_lanes(status)
    if status.stale_for is not None and status.stale_for > OVERDUE_AFTER:
        what = f"{status.stale} caches are stale, the first for {_minutes(status.stale_for)}"
        yield Attention("caches", what, "See which, and whether a server calculates them.", "/caches", "caches")


def _of_servers(status: Status) -> Iterator[Attention]:
    for server in status.stuck:
        what = f"Server {server} has no worker left for external runs"
        yield Attention(f"server {server}", what, "See which runs go on for so long.", "/lanes", "lanes", True)
    if not status.servers:
        yield Attention(
            "servers", "No server is running", "Start one. What is saved meanwhile waits.", "/lanes", "serve", True
        )
    elif status.oldest is not None and status.oldest > OVERDUE_AFTER and not status.paused:
        what = f"The oldest ticket has waited for {_minutes(status.oldest)}"
        yield Attention("tickets", what, "See what runs in its lane, and for how long.", "/lanes", "status")


def _of_once(once: Sequence[OnceView]) -> Iterator[Attention]:
    for action in once:
        if action.state == "failed" and action.known:
            advice = "See why, put it right, and let it run again. What stands below it waits."
            about, twin = f"once {action.name}", f"once --retry {shlex.quote(action.name)}"
            yield Attention(about, f"{action.name} has failed", advice, "/lanes", twin, True)


def _of_timers(timers: Sequence[TimerView], now: datetime) -> Iterator[Attention]:
    for timer in timers:
        about = f"timer {timer.name}"
        if timer.known and timer.paused:
            advice = f"Resume it when it may fire again: {timer.schedule}."
            twin = f"resume {shlex.quote(timer.name)}"
            yield Attention(about, f"The timer {timer.name} is paused", advice, "/timers", twin)
        elif timer.known and timer.due is not None and now - timer.due > OVERDUE_AFTER:
            advice = "A server fires it as soon as it can. See whether one does."
            what = f"The timer {timer.name} is late by {_minutes(now - timer.due)}"
            yield Attention(about, what, advice, "/timers", "timers")


def _of_failures(minutes: Sequence[RunMinute]) -> Iterator[Attention]:
    failed: Counter[str] = Counter()
    for minute in minutes:
        failed[minute.work] += minute.failed
    told = [(work, count) for work, count in failed.most_common() if count]
    for work, count in told[:MAX_NAMED]:
        what = f"{work} has failed {'once' if count == 1 else f'{count:,} times'} within an hour"
        path, twin = f"/failures?work={quote(work, safe='')}", f"history --work {shlex.quote(work)}"
        yield Attention(f"work {work}", what, "See why. What is put right can be tried again.", path, twin)
    if len(told) > MAX_NAMED:
        more = len(told) - MAX_NAMED
        what = f"{more:,} more {'work has' if more == 1 else 'works have'} failed within an hour"
        yield Attention("works", what, "See which, and why.", "/failures", "history")


def _of_lanes(status: Status) -> Iterator[Attention]:
    for lane in status.paused:
        what = f"The lane {lane} is paused, and {status.waiting.get(lane, NONE)} tickets wait in it"
        twin = f"resume {shlex.quote(lane)}"
        yield Attention(f"lane {lane}", what, "Resume it when its jobs may begin again.", "/lanes", twin)


def _minutes(span: timedelta) -> str:
    minutes = round(span.total_seconds() / 60)
    return f"{minutes:,} minutes" if minutes > 1 else "a minute"

"""The overview: the verdict, what needs attention, a few numbers, and the last hour."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import get_args

from afterwork.events import SourceKind
from afterwork.insight.attention import Attention
from afterwork.insight.history import Latency, RunMinute
from afterwork.insight.status import Status
from afterwork.insight.verdict import Verdict

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class OverviewMinute:
    """The runs that ended in one minute (UTC), by source; failed runs are counted apart, in `failed`."""

    minute: datetime
    done: Mapping[SourceKind, int]
    failed: int


@dataclass(frozen=True)
class Overview:
    """An installation at a glance: the verdict, and what needs attention, worst first.

    `latency`, `failed` and `minutes` cover the last hour, minute by minute, oldest first.
    """

    status: Status
    latency: Latency
    failed: int
    minutes: Sequence[OverviewMinute]
    attention: Sequence[Attention]
    verdict: Verdict

    def typed(self, as_typed: Callable[[str], str]) -> "Overview":
        """Return the same with advice whose commands are as one types them."""
        return replace(self, attention=[replace(need, advice=as_typed(need.advice)) for need in self.attention])


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

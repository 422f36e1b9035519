"""Determine which due time of a timer fires now, and which one comes next."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from afterwork.clock import MAX_CLOCK_SKEW
from afterwork.model.when import Cron, Timer

LIVED_AGAIN = timedelta(days=1)
"""The maximum clock setback after which due times do not repeat. A larger one means that the clock was wrong before."""


@dataclass(frozen=True)
class DuePlan:
    """The due time to fire for, if any, and the next due time, which may be now."""

    fire: datetime | None
    due: datetime


def plan(when: Timer, due: datetime, set_at: datetime, last_due: datetime | None, now: datetime) -> DuePlan:
    """Plan for a timer whose next due time was set to `due` at the time `set_at`."""
    if set_at > now + MAX_CLOCK_SKEW:
        return DuePlan(None, _after_the_clock_was_put_back(when, last_due, now))
    if due > now:
        return DuePlan(None, due)
    missed = when.missed(due, now, when.most_missed if when.misfire == "each" else 1)
    after = when.after(due, now)
    match when.misfire, missed:
        case "each", [first, second, *_]:
            return DuePlan(first, second)
        case "skip", [*_, last] if now - last > when.late:
            return DuePlan(None, after)
        case _, [*_, last]:
            return DuePlan(last, after)
        case _:
            # The schedule has changed, and `due` is not one of its times.
            return DuePlan(None, after)


def resumed(when: Timer, due: datetime, set_at: datetime, last_due: datetime | None, now: datetime) -> datetime:
    """Return the due time of a resumed timer. Due times that passed during the pause are not made up for."""
    if set_at > now + MAX_CLOCK_SKEW:
        return _after_the_clock_was_put_back(when, last_due, now)
    return due if due > now else when.after(due, now)


def changed(when: Timer, last_due: datetime | None, now: datetime) -> datetime:
    """Return the due time of a timer whose schedule has changed."""
    if last_due is None or last_due > now:
        return when.first(now)
    return when.after(last_due, last_due)


def _after_the_clock_was_put_back(when: Timer, last_due: datetime | None, now: datetime) -> datetime:
    if not isinstance(when, Cron):
        return when.after(now, now)
    if last_due is not None and now < last_due <= now + LIVED_AGAIN:
        return when.after(last_due, last_due)
    return when.after(now, now)

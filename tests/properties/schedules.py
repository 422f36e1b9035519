"""Schedules, policies and looks at random, and an oracle that lists all due times."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

import afterwork as aw

START = datetime(2026, 3, 27, 23, 59, 30, tzinfo=UTC)

HORIZON = timedelta(days=5)

spans = st.integers(7, 600).map(lambda minutes: {"span": timedelta(minutes=minutes)})

crons = st.sampled_from(["*/7 * * * *", "0 3 * * *", "30 2 * * *", "15 */5 * * mon-fri", "0 0 28,29 3 *"])

policies = st.tuples(st.sampled_from(["once", "skip", "each"]), st.integers(1, 4), st.integers(0, 90))

looks = st.lists(st.integers(1, 900), min_size=1, max_size=40)
"""Minutes between one look of a server and the next: short ones while it is there, long ones while none is."""


def all_due(when: Any, first: datetime) -> list[datetime]:
    """All due times, one after the other."""
    times = [first]
    while times[-1] < START + HORIZON:
        times.append(when.after(times[-1], times[-1]))
    return times


def timer(schedule: Any, policy: tuple[str, int, int]) -> Any:
    misfire, most, late = policy
    more: Any = {"misfire": misfire, "most_missed": most, "late": timedelta(minutes=late)}
    return (
        aw.Cron(schedule, tz="Europe/Stockholm", **more)
        if isinstance(schedule, str)
        else aw.Every(schedule["span"], **more)
    )


def expected(when: Any, moments: list[datetime], every: list[datetime]) -> list[datetime]:
    """What should: of the due times between one look and the next, the last, none, or the last few."""
    times: list[datetime] = []
    before = START - timedelta(days=1)
    for now in moments:
        passed = [due for due in every if before < due <= now]
        before = now
        match when.misfire:
            case "once":
                times += passed[-1:]
            case "skip":
                times += [due for due in passed[-1:] if now - due <= when.late]
            case _:
                times += passed[-when.most_missed :]
    return times

"""Lanes. The jobs of a lane run one at a time over all servers, or as many as its limit allows.

A ticket's lane is decided in three places: `_lane` in `saving/later.py`, when it is asked for; `_in_their_lane` in
`sources/ticket.py`, for rows without a lane, which somebody else wrote; and `Contract.lanes`, if the ticket class has
no Lane. Matches have that of their timer's work (`sources/timer/noting.py`). `server/scheduler.py` decides which lane
is next. A priority counts within its lane alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from typing import Final

from afterwork.errors import BadDeclaration, shown

MAIN: Final = "main"
"""The lane of all work that names none."""

PARALLEL: Final = "parallel"
"""A ticket's Lane for `lane=None`: it needs no lane, and runs beside all others."""

MAX_LIMIT = 10_000
"""The highest limit and rate."""


@dataclass(frozen=True)
class Rate:
    """At most `max_starts` runs begin in any time of the length `per`."""

    max_starts: int
    per: timedelta


@dataclass(frozen=True)
class Lane:
    """A lane with rules of its own, which hold over all servers together. At most `limit` jobs run at a time, and at
    most `rate` begin within any duration `per`.

        MAIL = aw.Lane("mail", limit=5, rate=100, per=timedelta(minutes=1))

    Give it as `lane=` to methods, view models and timers; or to `aw.Afterwork(Base, lanes=[MAIL])` where works name it
    by "mail". Raises `BadDeclaration` for a name, limit or rate that makes no sense.
    """

    name: str
    _: KW_ONLY
    limit: int = 1
    rate: int | None = None
    per: timedelta | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def own_rate(self) -> Rate | None:
        """The rate, if it has one."""
        return None if self.rate is None or self.per is None else Rate(self.rate, self.per)


def _check(lane: Lane) -> None:
    who = f"aw.Lane({shown(lane.name)})"
    if not isinstance(lane.name, str) or not lane.name or "\0" in lane.name:
        raise BadDeclaration(f"{who}: a lane needs a name.")
    if lane.name == PARALLEL:
        raise BadDeclaration(f"{who}: this name stands for running in parallel, in no lane. Give it another one.")
    for name, value in (("limit", lane.limit), ("rate", 1 if lane.rate is None else lane.rate)):
        if type(value) is not int or not 1 <= value <= MAX_LIMIT:
            raise BadDeclaration(f"{who}: its {name} is {shown(value)}. Give a whole number from 1 to {MAX_LIMIT:,}.")
    if (lane.rate is None) != (lane.per is None):
        raise BadDeclaration(f"{who}: rate= and per= belong together: rate=100, per=timedelta(minutes=1).")
    if lane.per is not None and (not isinstance(lane.per, timedelta) or lane.per <= timedelta(0)):
        raise BadDeclaration(
            f"{who}: its per is {shown(lane.per)}. Give a duration above zero: per=timedelta(minutes=1)."
        )


def checked_lane(where: str, lane: object) -> str | Lane | None:
    """Return a declared lane. Raises `BadDeclaration` unless it is a name, an `aw.Lane` or None."""
    if lane is None or isinstance(lane, Lane):
        return lane
    if isinstance(lane, str) and lane and "\0" not in lane:
        return lane
    raise BadDeclaration(f"{where}: its lane is {shown(lane)}. Give a name, an aw.Lane, or None to run in parallel.")


def lane_name(lane: str | Lane | None) -> str:
    """Return a declared lane as a ticket's row names it. None is "in parallel"."""
    return lane.name if isinstance(lane, Lane) else PARALLEL if lane is None else lane


def lanes_by_name(lanes: Iterable[Lane]) -> Mapping[str, Lane]:
    """Return lanes by their names. Raises `BadDeclaration` for two of a name that differ."""
    if not isinstance(lanes, Iterable):
        raise BadDeclaration(f'lanes={shown(lanes)}: give a list of lanes, such as [aw.Lane("mail", limit=5)].')
    by_name: dict[str, Lane] = {}
    for lane in lanes:
        if not isinstance(lane, Lane):
            raise BadDeclaration(f'lanes=[{shown(lane)}]: give lanes, such as aw.Lane("mail", limit=5).')
        if by_name.setdefault(lane.name, lane) != lane:
            raise BadDeclaration(
                f"The lane {shown(lane.name)} is declared twice: as {by_name[lane.name]} and as {lane}. Declare it "
                "once, and use that everywhere."
            )
    return by_name

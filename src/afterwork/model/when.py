"""The ways to start a job without a ticket: timers, changes of its reads, and once per database."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from afterwork.errors import BadCron, BadDeclaration, shown
from afterwork.model.functions import check_arguments, check_callable, check_is_done, takes_any
from afterwork.model.lane import Lane, checked_lane

if TYPE_CHECKING:
    from cronsim import CronSim


@dataclass(frozen=True, kw_only=True)
class WhenStale:
    """Starts a view model on each object of its root class, and again whenever something that it read has changed.

    `priority`: 1 runs before 2, None last. `allow_oldness`: a cache that has just run waits at least this
    long before it runs again, however often it becomes stale meanwhile. Raises `BadDeclaration` if that is negative.
    """

    priority: int | None = None
    allow_oldness: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        _check_duration("allow_oldness", self.allow_oldness)
        if self.priority is not None and type(self.priority) is not int:
            raise BadDeclaration(f"priority is {shown(self.priority)}. It must be a whole number, or None.")
        if self.allow_oldness < timedelta(0):
            raise BadDeclaration(f"allow_oldness is {self.allow_oldness}. It must be 0 or more.")


@dataclass(frozen=True)
class Once:
    """Runs each action of a view model without a root once per database, from top to bottom, and never again.

    For changes to the data that an upgrade needs. Servers run such actions before anything else. An action is known by
    its name, `ViewModel.action`; one that is added later runs then.
    """


Misfire = Literal["once", "skip", "each"]
"""The treatment of due times missed without a server: one round for all, none, or one for each."""

DECLARED: Final = "\x00declared"
"""Stands for the lane that the view model or method declares."""


class TimerOptions(TypedDict, total=False):
    """The arguments of `Every` and `Cron` beside their times. See `Timer`."""

    criteria: Any
    max_answers: int | None
    before: Callable[[Any], object] | None
    lane: str | Lane | None
    misfire: Misfire
    late: timedelta
    most_missed: int


@dataclass(frozen=True, kw_only=True)
class Timer:
    """The common part of `Every` and `Cron`.

    `criteria` is a `select()` of the root class, or a function that returns one; it may take the variables of the
    round. `before` runs first, takes the variables, and may set them; if it returns False, there is no round this time.
    `max_answers` bounds the matches of a round; those beyond it come in the next one. None is no bound. `lane` replaces
    the one that the job declares. `misfire` decides on due times missed without a server: with "skip", a round at most
    `late` behind its time counts as in time; with "each", the last `most_missed` are made up for. Raises
    `BadDeclaration` for values that make no sense.
    """

    criteria: Any = None
    max_answers: int | None = None
    before: Callable[[Any], object] | None = None
    lane: str | Lane | None = DECLARED
    misfire: Misfire = "once"
    late: timedelta = timedelta(minutes=1)
    most_missed: int = 100

    def __post_init__(self) -> None:
        if self.max_answers is not None and (type(self.max_answers) is not int or self.max_answers < 1):
            raise BadDeclaration(f"max_answers is {self.max_answers!r}. It must be 1 or more, or None for no bound.")
        if self.misfire not in ("once", "skip", "each"):
            raise BadDeclaration(f'misfire is {shown(self.misfire)}. It must be "once", "skip" or "each".')
        _check_duration("late", self.late)
        if callable(self.criteria):
            _check_criteria(self.criteria)
        if self.before is not None:
            check_callable(self.before, "before", ["the variables"])
        if self.lane != DECLARED:
            checked_lane("A timer", self.lane)
        if type(self.most_missed) is not int or self.most_missed < 1:
            raise BadDeclaration(f"most_missed is {self.most_missed}. It must be 1 or more.")
        if self.late < timedelta(0):
            raise BadDeclaration(f"late is {self.late}. It must be 0 or more.")

    def first(self, now: datetime) -> datetime:
        """Return the first due time of a timer that has never run."""
        raise NotImplementedError

    def after(self, due: datetime, now: datetime) -> datetime:
        """Return the first due time after `now`. `due` is an earlier due time, at most `now`."""
        raise NotImplementedError

    def missed(self, due: datetime, now: datetime, limit: int) -> list[datetime]:
        """Return the due times from `due` to `now`, both included; the last `limit` of them, if there are more."""
        raise NotImplementedError

    def words(self) -> str:
        """Return when it is due, in words."""
        raise NotImplementedError

    def __str__(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True, init=False)
class Every(Timer):
    """Starts a job at regular intervals, for each object that meets a criteria query. At once when it is new.

        when = aw.Every(minutes=10, criteria=select(Order).where(Order.exported_at.is_(None)), max_answers=100)

    The interval is a timedelta, or given by exactly one of `seconds`, `minutes`, `hours` and `days`. Due times lie on a
    grid: a round that is late does not delay the next. Raises `BadDeclaration` for an interval that is not positive.
    """

    interval: timedelta = timedelta(0)

    def __init__(
        self,
        interval: timedelta | None = None,
        *,
        seconds: float | None = None,
        minutes: float | None = None,
        hours: float | None = None,
        days: float | None = None,
        **others: Unpack[TimerOptions],
    ) -> None:
        units = {"seconds": seconds, "minutes": minutes, "hours": hours, "days": days}
        given = {name: value for name, value in units.items() if value is not None}
        if len(given) + (interval is not None) != 1:
            raise BadDeclaration(
                "aw.Every needs exactly one of a timedelta, seconds=, minutes=, hours= and days=, "
                f"and got {len(given) + (interval is not None)}."
            )
        object.__setattr__(self, "interval", _interval(interval, given))
        super().__init__(**others)

    def first(self, now: datetime) -> datetime:
        return now

    def after(self, due: datetime, now: datetime) -> datetime:
        return due + ((now - due) // self.interval + 1) * self.interval

    def missed(self, due: datetime, now: datetime, limit: int) -> list[datetime]:
        last = (now - due) // self.interval
        return [due + step * self.interval for step in range(max(0, last - limit + 1), last + 1)]

    def words(self) -> str:
        for name, seconds in SECONDS_BY_UNIT.items():
            count = self.interval / timedelta(seconds=seconds)
            if count >= 1 and count == int(count):
                return f"Every {name}" if count == 1 else f"Every {int(count)} {name}s"
        return f"Every {self.interval.total_seconds():g} seconds"

    def __str__(self) -> str:
        return f"every {self.interval}"


@dataclass(frozen=True, init=False)
class Cron(Timer):
    """Starts a job at times of a calendar: minute, hour, day of the month, month, day of the week.

        when = aw.Cron("30 2 * * *", tz="Europe/Stockholm", criteria=…)

    Where the clock goes forward over a due time, it is due once just after; where an hour comes twice, a job with a
    fixed hour is due once, as in Debian's cron. Raises `BadCron` for an expression that can't be read or never
    matches, `BadDeclaration` for an unknown time zone.
    """

    expression: str = ""
    tz: str = "UTC"

    def __init__(
        self,
        expression: str,
        *,
        tz: str = "UTC",
        **others: Unpack[TimerOptions],
    ) -> None:
        object.__setattr__(self, "expression", expression)
        object.__setattr__(self, "tz", tz)
        super().__init__(**others)
        _check_cron(expression)
        _zone(tz)

    def first(self, now: datetime) -> datetime:
        return self._next(now)

    def after(self, due: datetime, now: datetime) -> datetime:
        return self._next(now)

    def missed(self, due: datetime, now: datetime, limit: int) -> list[datetime]:
        # Backwards, since only the last ones are wanted; from just after now, which may be a due time itself.
        missed: list[datetime] = []
        start = (now + timedelta(minutes=1)).astimezone(_zone(self.tz))
        for timestamp in _times(self.expression, start, reverse=True):
            if timestamp < due or len(missed) == limit:
                break
            if timestamp <= now:
                missed.append(timestamp.astimezone(due.tzinfo))
        return missed[::-1]

    def words(self) -> str:
        return f"{_times(self.expression, _ANY_DAY).explain()} ({self.tz})"

    def _next(self, now: datetime) -> datetime:
        return next(_times(self.expression, now.astimezone(_zone(self.tz)))).astimezone(now.tzinfo)

    def __str__(self) -> str:
        return f"cron {self.expression} {self.tz}"


def _check_duration(name: str, value: object) -> None:
    if not isinstance(value, timedelta):
        raise BadDeclaration(f"{name} is {shown(value)}. Give a timedelta, such as timedelta(minutes=5).")


def _check_criteria(criteria: Callable[..., Any]) -> None:
    """Refuse a function that can't be called with the variables of a round, or with nothing."""
    check_is_done(criteria, "criteria")
    check_arguments(criteria, "criteria", ["the variables"] if takes_any(criteria) else [])


def _times(expression: str, start: datetime, *, reverse: bool = False) -> "CronSim":
    """Return the times of a cron expression after, or before, another one."""
    from cronsim import CronSim  # only who has such timers loads it

    return CronSim(expression, start, reverse=reverse)


def _interval(interval: object, units: Mapping[str, Any]) -> timedelta:
    try:
        duration = timedelta(**units) if interval is None else interval
    except (TypeError, ValueError, OverflowError) as error:
        raise BadDeclaration(f"The interval of aw.Every can't be {shown(units)}: {error}.") from None
    if not isinstance(duration, timedelta):
        raise BadDeclaration(f"The interval of aw.Every is {shown(duration)}. Give a timedelta, or minutes=10.")
    if not timedelta(0) < duration <= MAX_INTERVAL:
        raise BadDeclaration(
            f"The interval of aw.Every is {duration}. It must be more than 0, and at most {MAX_INTERVAL.days:,} days."
        )
    return duration


MAX_INTERVAL = timedelta(days=36525)
"""A hundred years, which keeps due times within the calendar."""

SECONDS_BY_UNIT = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}
_ANY_DAY = datetime(2024, 1, 1)
FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")


def _check_cron(expression: str) -> None:
    if not isinstance(expression, str):
        raise BadDeclaration(f"A cron expression is a text, not {shown(expression)}.")
    from cronsim import CronSimError

    try:
        if len(expression.split()) != len(FIELDS):
            raise CronSimError("Wrong number of fields")
        next(_times(expression, _ANY_DAY))
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "It never comes."
        raise BadCron(expression, reason, _position(expression, reason)) from None


def _position(expression: str, reason: str) -> int | None:
    """Return the position of the field that is wrong, from 0; None if the reason names none."""
    field = next((n for n, name in enumerate(FIELDS) if reason.endswith(name)), None)
    parts = expression.split()
    if field is None or len(parts) != len(FIELDS):
        return None
    end = 0
    for part in parts[: field + 1]:
        end = expression.index(part, end) + len(part)
    return end - len(parts[field])


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise BadDeclaration(
            f"There is no time zone {shown(name)} here. Give a name such as Europe/Stockholm or UTC "
            "(on Windows, install tzdata)."
        ) from None

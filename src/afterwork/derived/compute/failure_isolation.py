"""Calculating many values together, such that what can't be done for one of them is the trouble of that one alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from afterwork.boundary import CONTAINED
from afterwork.derived.compute.python_calculator import Calculated, PythonCalculator, unless_circular
from afterwork.derived.compute.sql_calculator import SqlCalculator
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_queue import ClaimedCache


@dataclass(frozen=True)
class CalculatedGroup:
    """What was calculated in one state of the database, as `snapshot` says. Of `claimed`, it may be the first ones."""

    snapshot: Any
    claimed: list[ClaimedCache]
    done: list[Calculated]


def together(
    matcher: Matcher,
    calculator: PythonCalculator | SqlCalculator,
    connection: Connection,
    claimed: list[ClaimedCache],
    limit: float,
) -> tuple[CalculatedGroup, ClaimedCache | None]:
    """Calculate in one state of the database, until it fails one of several. Returns that one, too."""
    done: list[Calculated] = []
    with CONTAINED, matcher.database.snapshot(connection) as snapshot:
        try:
            for one in calculator.calculate(connection, claimed, limit):
                if one.error is not None and matcher.database.is_not_the_jobs(one.error):
                    raise one.error
                if isinstance(one.error, DBAPIError):  # the transaction may have failed with it
                    if len(claimed) > 1:
                        rest = [other for other in claimed if other.cache != one.claimed.cache]
                        return CalculatedGroup(snapshot, rest, done), one.claimed
                    done.append(one)
                    break
                done.append(unless_circular(connection, one, matcher.registry))
        except Exception as error:
            if len(claimed) > 1 or matcher.database.is_not_the_jobs(error):
                raise
            done = [calculator.failed(connection, claimed[0], error)]
    return CalculatedGroup(snapshot, claimed, done), None


def calculated(
    matcher: Matcher,
    calculator: PythonCalculator | SqlCalculator,
    connection: Connection,
    claimed: list[ClaimedCache],
    limit: float,
) -> Iterator[CalculatedGroup]:
    """Calculate in as few groups as possible. Where something fails for all, each half is tried by itself. What the
    database refuses for one is tried again alone, since what was loaded for others may be the reason."""
    try:
        group, failed = together(matcher, calculator, connection, claimed, limit)
    except Exception as error:
        if len(claimed) == 1 or matcher.database.is_not_the_jobs(error):
            raise
        half = len(claimed) // 2
        yield from calculated(matcher, calculator, connection, claimed[:half], limit)
        yield from calculated(matcher, calculator, connection, claimed[half:], limit)
        return
    yield group
    if failed is not None:
        yield from calculated(matcher, calculator, connection, [failed], limit)

"""The Error of tickets that have expired, by which they are told apart from those that failed."""

from datetime import UTC, datetime

EXPIRED = "Expired before it began: "
"""How the Error of a ticket begins whose turn came after its NotAfter. Texts of exceptions begin with a name."""


def expired(not_after: datetime, now: datetime) -> str:
    """Return the Error of a ticket whose turn comes too late."""
    late = now - not_after
    return (
        f"{EXPIRED}it was not to begin after {not_after.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and its turn came "
        f"{late.total_seconds():,.0f} s later. To run it all the same, retry it by hand."
    )

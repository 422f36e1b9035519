"""The Error of tickets whose turn came after their NotAfter, which tells them from those that failed."""

from datetime import UTC, datetime

EXPIRED_PREFIX = "Expired before it began: "
"""The beginning of the Error of an expired ticket. Texts of exceptions begin with the name of a class."""


def expiry_error(not_after: datetime, now: datetime) -> str:
    """Return the Error of a ticket whose turn comes too late."""
    late = now - not_after
    return (
        f"{EXPIRED_PREFIX}it was not to begin after {not_after.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and its turn "
        f"came {late.total_seconds():,.0f} s later. To run it all the same, retry it by hand."
    )

"""Reduced forms for a ticket's end that its table refuses in full, and the Error of a late ticket."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Column, Connection

from afterwork.store.texts import SHORT, cut, fitted

FIXED = "It failed; see the log."
"""An Error that fits any column."""


@dataclass(frozen=True)
class EndForm:
    """The parts of an end that are written: attributes, and the maximum length of its Error; 0 means `FIXED`."""

    attributes: tuple[str, ...]
    most: int | None = None

    def __str__(self) -> str:
        names = " and ".join(name.replace("_", " ") for name in self.attributes)
        return names if self.most is None else f"{names}, with a short error"

    def error(self, connection: Connection, column: Column[Any], text: str) -> str:
        """Return an Error as this form writes it."""
        fit = fitted(connection, column, FIXED if self.most == 0 else text)
        return cut(connection, ascii(fit)[1:-1], self.most) if self.most else fit


AS_ASKED = EndForm(("done", "delete_time", "error", "attempts"))

LESSER = (
    EndForm(("done", "delete_time", "error")),
    EndForm(("done", "delete_time", "error"), SHORT),
    EndForm(("done", "delete_time", "error"), 0),
    EndForm(("error",)),
    EndForm(("error",), 0),
    EndForm(("done", "delete_time")),
    EndForm(("done",)),
)
"""The forms tried in turn when the database refuses. Each says less about the ticket's end, and all end it."""


EXPIRED_PREFIX = "Expired before it began: "
"""The beginning of the Error of an expired ticket. Texts of exceptions begin with the name of a class."""


def expiry_error(not_after: datetime | None, now: datetime | None) -> str | None:
    """Return the Error of a ticket whose turn comes too late. None if it may begin, or without a time to compare."""
    if not_after is None or now is None or now <= not_after:
        return None
    late = now - not_after
    return (
        f"{EXPIRED_PREFIX}it was not to begin after {not_after.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC, and its turn "
        f"came {late.total_seconds():,.0f} s later. To run it all the same, retry it by hand."
    )

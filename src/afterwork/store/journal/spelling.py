"""Different texts for the same value: ids and timestamps in other programs' spellings, and trailing spaces. All
spellings of one value count as one key."""

import re
from datetime import datetime, time

from afterwork.store.journal.tracked_table import PART

UNIQUE_ID = re.compile(r"(?:urn:uuid:)?\{?([0-9a-fA-F]{8}(?:-?[0-9a-fA-F]{4}){4}[0-9a-fA-F]{8})\}?")
MOMENT = re.compile(r"\d[-+:.,TWZ \d]{3,39}", re.ASCII | re.IGNORECASE)


def spelled(key: str) -> str:
    """Return the common spelling of a key."""
    return PART.join(map(_spelled, key.split(PART))) if PART in key else _spelled(key)


def _spelled(part: str) -> str:
    part = part.rstrip(" ")
    if len(part) >= 32 and (unique_id := UNIQUE_ID.fullmatch(part)) is not None:
        return unique_id[1].replace("-", "").lower()
    if MOMENT.fullmatch(part) is not None and not part.isdigit():
        return _moment(part) or part
    return part


def _moment(part: str) -> str | None:
    for read in (datetime.fromisoformat, time.fromisoformat):
        try:
            # Types without a zone ignore it.
            return read(part).replace(tzinfo=None).isoformat(timespec="microseconds")
        except ValueError:
            pass
    return None

"""A request for work, as `aw.later` understands it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from afterwork.model.arguments.parameters import Arguments
from afterwork.model.contract import Contract, ContractAttribute, timestamp_for


@dataclass(frozen=True)
class Request:
    """A request for a work by name, on a root or none. Timestamps are aware, and None asks for nothing special.

    `lane` is what the ticket's row will say. Null, which is written for `main`, means the lane that the work declares;
    "parallel" stands for the argument None. If the ticket class has no Lane, the work decides. `names_lane` says
    whether the caller gave a lane.
    """

    work: str
    root: Any
    arguments: Arguments | None
    lane: str | None
    names_lane: bool
    earliest: datetime | None
    latest: datetime | None
    priority: int | None
    keep_minutes: int | None


def stored_timestamp(
    attribute: ContractAttribute | None, contract: Contract, session: Session, timestamp: datetime | None
) -> datetime | None:
    """Return a timestamp as an attribute stores it. The session needs no database if no timestamp is given."""
    if timestamp is None or attribute is None:
        return timestamp
    return timestamp_for(attribute.column, session.get_bind(contract.mapper).dialect.name, timestamp)

"""The facts that the steps of storing results share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.derived.queue.registered_derivation import RegisteredDerivation


@dataclass(frozen=True)
class Recomputation:
    """The storing of results of one derivation, all calculated in the state of the database that is `snapshot`."""

    connection: Connection
    derivation: RegisteredDerivation
    snapshot: Any
    now: datetime

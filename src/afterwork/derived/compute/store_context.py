"""What the steps of storing results share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.derived.queue.registered_derivation import RegisteredDerivation


@dataclass(frozen=True)
class StoreContext:
    """A connection, and a derivation whose results are stored, all calculated in the state that is `snapshot`."""

    connection: Connection
    derivation: RegisteredDerivation
    snapshot: Any
    now: datetime

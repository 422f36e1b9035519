"""The context that the steps of storing results share."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from afterwork.derived.queue.registered_derivation import RegisteredDerivation


@dataclass(frozen=True)
class StoreContext:
    """The context in which results of one derivation are stored.

    All were calculated in the state of the database that is `snapshot`.
    """

    connection: Connection
    derivation: RegisteredDerivation
    snapshot: Any
    now: datetime

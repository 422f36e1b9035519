"""Suspects: work that was running when its process, connection or worker died."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from afterwork.settings import Settings
from afterwork.store import once, suspects
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.suspects import CACHE, ROUND, Cause, Suspect
from afterwork.store.tables import match as matches
from afterwork.store.timers import MATCH


@dataclass(frozen=True)
class SuspectView:
    """Work that may be poison: how often something died during it, what, and when it last did.

    `is_given_up` marks work that is not tried again.
    """

    what: str
    times: int
    cause: Cause
    at: datetime
    is_given_up: bool


def views(connection: Connection, settings: Settings) -> Sequence[SuspectView]:
    """Return all suspects, the latest first."""
    return [
        SuspectView(
            _what(connection, suspect),
            suspect.times,
            suspect.cause,
            suspect.at,
            suspect.is_beyond(settings.crash_limit),
        )
        for suspect in suspects.every(connection)
    ]


def _what(connection: Connection, suspect: Suspect) -> str:
    key = suspect.key
    if key.startswith(ROUND):
        return f"round of {key.removeprefix(ROUND)}"
    if key.startswith(once.KEY):
        return key.removeprefix(once.KEY)
    if key.startswith(CACHE):
        named = select(derivations.c.name, caches.c.root).join(caches, caches.c.derivation == derivations.c.id)
        row = connection.execute(named.where(caches.c.id == int(key.removeprefix(CACHE)))).one_or_none()
        return key if row is None else f"{row.name} of {row.root}"
    if key.startswith(MATCH):
        match = select(matches.c.view_model, matches.c.root_id).where(matches.c.id == key)
        row = connection.execute(match).one_or_none()
        return key if row is None else f"{row.view_model} of {row.root_id}"
    return f"ticket {key}"

"""What can be read of suspects: what was being tried when its process, connection or worker ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from afterwork.derived.tables import cache as caches
from afterwork.derived.tables import derivation as derivations
from afterwork.settings import Settings
from afterwork.store import once, suspects
from afterwork.store.matches import MATCH
from afterwork.store.suspects import CACHE, ROUND, Cause, Suspect
from afterwork.store.tables import hit as hits


@dataclass(frozen=True)
class SuspectView:
    """What may be poison, in words: how often something ended while it was tried, what, and when that was the last
    time. `is_given_up` says that it is not tried any more."""

    what: str
    times: int
    cause: Cause
    at: datetime
    is_given_up: bool


def views(connection: Connection, settings: Settings) -> Sequence[SuspectView]:
    """All suspects, the last one first."""
    found = suspects.every(connection)
    return [
        SuspectView(_what(connection, one), one.times, one.cause, one.at, one.is_beyond(settings.crash_limit))
        for one in found
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
        row = connection.execute(select(hits.c.view_model, hits.c.root_id).where(hits.c.id == key)).one_or_none()
        return key if row is None else f"{row.view_model} of {row.root_id}"
    return f"ticket {key}"

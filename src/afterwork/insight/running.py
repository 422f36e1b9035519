"""Runs outside of a transaction, each with a lease, and work that ran when its process or connection died."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, select

from afterwork.model.contract import Contract
from afterwork.model.key import key_text, parse_key
from afterwork.settings import Settings
from afterwork.store import once, progress, suspects, tables
from afterwork.store.caches.tables import cache as caches
from afterwork.store.caches.tables import derivation as derivations
from afterwork.store.progress import ReportedProgress
from afterwork.store.suspects import CACHE, ROUND, CauseOfDeath, Suspect
from afterwork.store.tables import match as matches
from afterwork.store.timers import MATCH, MATCHES

RunKind = Literal["ticket", "timer", "once"]

MAX_RUNS = 1000
"""The most runs that are shown. Servers have fewer workers."""


@dataclass(frozen=True)
class RunningView:
    """A current run, since a time in UTC. `kind` says what `ticket` is the key of: a ticket, a match, or a once
    action.

    `taken_over` counts how often it was restarted because a server had died, was stopped, or had lost it. `said` is
    the progress that it reports.
    """

    run: str
    kind: RunKind
    ticket: str
    work: str | None
    root_id: str | None
    lane: str
    server: int
    since: datetime
    taken_over: int
    said: ReportedProgress | None


def running(connection: Connection, contract: Contract) -> list[RunningView]:
    """Return all runs outside of a transaction, oldest first."""
    leases = connection.execute(select(tables.lease).order_by(tables.lease.c.taken).limit(MAX_RUNS)).all()
    keys = [lease.ticket for lease in leases]
    said = progress.of_tickets(connection, keys) if keys else {}
    asked = {**_asked(connection, contract, keys), **_asked(connection, MATCHES, keys)}
    return [_view(lease, asked, said.get(lease.ticket)) for lease in leases]


def _view(
    lease: Row[Any], asked: Mapping[str, tuple[str | None, str | None]], said: ReportedProgress | None
) -> RunningView:
    key: str = lease.ticket
    kind: RunKind = "once" if key.startswith(once.KEY) else "timer" if key.startswith(MATCH) else "ticket"
    work, root_id = (key.removeprefix(once.KEY), None) if kind == "once" else asked.get(key, (None, None))
    return RunningView(
        lease.run, kind, key, work, root_id, lease.lane, lease.server, lease.taken, lease.epoch - 1, said
    )


def _asked(connection: Connection, contract: Contract, keys: Sequence[str]) -> dict[str, tuple[str | None, str | None]]:
    """Return the work and the root of the tickets, or matches, of leases, by key."""
    key = contract.key.column
    own = []
    for text in keys:
        try:
            own.append(parse_key(text, key))
        except ValueError:
            continue  # the lease of something else
    columns = select(key, contract.view_model.column, contract.root_id.column).where(key.in_(own))
    return {key_text(value): (work, root) for value, work, root in connection.execute(columns)} if own else {}


@dataclass(frozen=True)
class SuspectView:
    """Work that may be poison: how often something died during it, what, and when it last did.

    `is_given_up` marks work that is not tried again.
    """

    what: str
    times: int
    cause: CauseOfDeath
    at: datetime
    is_given_up: bool


def suspect_views(connection: Connection, settings: Settings) -> Sequence[SuspectView]:
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

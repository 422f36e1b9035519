"""Watching: periodic checks, on the loop's thread, for what no signal reports."""

import time
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy import Connection

from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Peers, Source
from afterwork.server.lanes import KnownLanes
from afterwork.server.recovery import Recovery
from afterwork.server.retirement import Retirement
from afterwork.server.server_connection import ServerConnection

LONG_AGO = float("-inf")


class Watch:
    """Watches the other servers, takes over what they leave, and lets sources make their checks."""

    def __init__(
        self, runner: Runner, link: ServerConnection, lanes: KnownLanes, recovery: Recovery, leaving: Retirement
    ) -> None:
        self._quarantine, self._settings, self._blocked = runner.quarantine, runner.settings, runner.blocked
        self._link = link
        self._lanes = lanes
        self._recovery = recovery
        self._leaving = leaving
        self._watched_at = LONG_AGO
        self._next_checks: dict[str, float] = {}

    def soon(self) -> None:
        """Watch again as soon as possible: leases may be left over, even this server's own that it lost track of."""
        self._watched_at = LONG_AGO

    def for_crashes(self, connection: Connection) -> int:
        """Check which servers are gone, where something died, and whether this server is to leave. Return the number of
        crashed servers."""
        presence = self._link.presence
        look = presence.look(connection)
        crashed = presence.crashed(connection, look.others) if self._recovery.can_tell_crashes else 0
        if crashed or look.any_quarantined:
            presence.heed(connection, self._quarantine)
        if look.is_to_leave:
            self._leaving.ask()
        connection.commit()
        return crashed

    def watch(self, connection: Connection, sources: Sequence[Source]) -> float | None:
        """Check whether other servers live, and adopt what nobody works on. Return the seconds after which others must
        be watched again; None if nothing needs it. After a crash, that is at once: more may be due here by now."""
        standby = self._settings.standby_poll.total_seconds()
        passed = time.monotonic() - self._watched_at
        if passed < standby:
            return standby - passed  # somebody may have begun a run since then
        self._watched_at = time.monotonic()
        crashed = self.for_crashes(connection)
        peers = Peers(self._link.presence.id, lambda: self._living(connection), self._lanes.claims)
        must_watch = [self._adopts(connection, source, peers) for source in sources]
        connection.commit()
        if crashed:
            return 0.0
        return standby if any(must_watch) else None

    def _adopts(self, connection: Connection, source: Source, peers: Peers) -> bool:
        adopt = partial(source.adopt, connection, peers)
        return self._blocked.unless_blocked(f"{source.own.source} of others", connection, adopt, otherwise=True)

    def _living(self, connection: Connection) -> Sequence[int]:
        living = self._link.presence.living(connection)
        connection.commit()
        return living

    def check(self, connection: Connection, sources: Sequence[Source]) -> None:
        """Let each source whose time has come check for what nobody signals."""
        for source in sources:
            if time.monotonic() >= self._next_checks.get(source.own.source, LONG_AGO):
                pause = self._checks(connection, source)
                seconds = float("inf") if pause is None else pause.total_seconds()
                self._next_checks[source.own.source] = time.monotonic() + seconds

    def _checks(self, connection: Connection, source: Source) -> timedelta | None:
        check, later = partial(source.check, connection), self._settings.standby_poll
        return self._blocked.unless_blocked(f"changes of {source.own.source}", connection, check, later)

    def until_check(self) -> float:
        """Return the seconds until the next check is due; infinite if none will be."""
        return max(0.0, min(self._next_checks.values()) - time.monotonic())

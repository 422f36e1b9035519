"""Watching: periodic checks, on the loop's thread, for what no signal reports."""

import time
from collections.abc import Sequence

from sqlalchemy import Connection

from afterwork.jobs.runner import Runner
from afterwork.jobs.source import Peers, Source
from afterwork.server.lanes import KnownLanes
from afterwork.server.link import ServerConnection
from afterwork.server.recovery import Recovery
from afterwork.server.retirement import Retirement

LONG_AGO = float("-inf")


class Watch:
    """Watches the other servers, takes over what they leave, and lets sources make their checks."""

    def __init__(
        self, runner: Runner, link: ServerConnection, lanes: KnownLanes, recovery: Recovery, leaving: Retirement
    ) -> None:
        self._quarantine, self._settings = runner.quarantine, runner.settings
        self._link = link
        self._lanes = lanes
        self._recovery = recovery
        self._leaving = leaving
        self._watched_at = LONG_AGO
        self._next_checks: dict[str, float] = {}

    def soon(self) -> None:
        """Watch again as soon as possible: leases may be left over, even this server's own that it lost track of."""
        self._watched_at = LONG_AGO

    def for_crashes(self, connection: Connection) -> None:
        """Check which servers are gone, where something died, and whether this server is to leave."""
        presence = self._link.presence
        look = presence.look(connection)
        crashed = presence.crashed(connection, look.others) if self._recovery.can_tell_crashes else 0
        if crashed or look.any_quarantined:
            presence.heed(connection, self._quarantine)
        if look.is_to_leave:
            self._leaving.ask()
        connection.commit()

    def watch(self, connection: Connection, sources: Sequence[Source]) -> float | None:
        """Check whether other servers live, and adopt what nobody works on. Return the seconds after which others must
        be watched again; None if nothing needs it."""
        standby = self._settings.standby_poll.total_seconds()
        passed = time.monotonic() - self._watched_at
        if passed < standby:
            return standby - passed  # somebody may have begun a run since then
        self._watched_at = time.monotonic()
        self.for_crashes(connection)
        peers = Peers(self._link.presence.id, lambda: self._living(connection), self._lanes.claims)
        must_watch = [source.adopt(connection, peers) for source in sources]
        connection.commit()
        return standby if any(must_watch) else None

    def _living(self, connection: Connection) -> Sequence[int]:
        living = self._link.presence.living(connection)
        connection.commit()
        return living

    def check(self, connection: Connection, sources: Sequence[Source]) -> None:
        """Let each source whose time has come check for what nobody signals."""
        for source in sources:
            if time.monotonic() >= self._next_checks.get(source.own.source, LONG_AGO):
                pause = source.check(connection)
                seconds = float("inf") if pause is None else pause.total_seconds()
                self._next_checks[source.own.source] = time.monotonic() + seconds

    def until_check(self) -> float:
        """Return the seconds until the next check is due; infinite if none will be."""
        return max(0.0, min(self._next_checks.values()) - time.monotonic())

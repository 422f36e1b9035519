"""Adopt claims that nobody works on: those of lost servers, and those that this server has forgotten."""

from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.derived.compute.commit_check import CommitCheck
from afterwork.derived.matching.matcher import Matcher
from afterwork.jobs.source import Peers


@dataclass(frozen=True)
class Adoption:
    """Ends orphaned claims, and gives their caches back to the queue."""

    matcher: Matcher
    commit_check: CommitCheck

    def adopt(self, connection: Connection, peers: Peers) -> bool:
        """Adopt orphaned claims. Return True if other servers hold claims, which must be watched."""
        living = peers.living()
        claims = self.matcher.due_queue.claims(connection)
        mine = peers.claims()  # read last, so that a claim made meanwhile is no orphan
        orphans = {
            claim
            for claim, owner in claims.items()
            if owner not in living or (owner == peers.server and claim not in mine)
        }
        connection.commit()
        for claim in orphans:
            self.commit_check.check(connection, claim)
        if orphans:
            with self.matcher.database.transaction(connection):
                self.matcher.due_queue.release(connection, orphans)
                self.matcher.entries.forget(connection)
        return any(owner != peers.server for claim, owner in claims.items() if claim not in orphans)

"""Check committed runs of view models and machines: has something changed while they ran?"""

from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.derived.cause import Cause, cause_text
from afterwork.derived.compute.next_runs import NextRuns
from afterwork.derived.compute.read_keys import ReadKeys
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.due_cache import DueMark, StoredRun
from afterwork.derived.queue.registered_derivation import RegisteredDerivation


@dataclass(frozen=True)
class CommitCheck:
    """Ends the claims of runs that have stored their effects.

    Only PostgreSQL needs it: there, others commit while a run does, and only a later look shows what it has missed.
    """

    matcher: Matcher
    read_keys: ReadKeys
    next_runs: NextRuns
    clock: Clock

    def check(self, connection: Connection, claim: str) -> None:
        """End a claim, and mark its caches that were born stale or whose results hold only for a time."""
        learned: list[tuple[RegisteredDerivation, set[int]]] = []
        with self.matcher.database.transaction(connection, self.matcher.entries.to_end):
            finished = self.matcher.due_queue.finish(connection, claim)
            if finished:
                self.matcher.patterns.load(connection)  # the run may have been another server's
            for stored in finished:
                keys = self._check(connection, stored)
                derivation = self.matcher.registry.by_id.get(stored.derivation)
                if derivation is not None:
                    learned.append((derivation, keys))
        for derivation, keys in learned:
            self.read_keys.learn(connection, derivation, keys)

    def _check(self, connection: Connection, stored: StoredRun) -> set[int]:
        """Mark one cache. Returns its manifest."""
        cache = stored.cache
        seen = self.matcher.cache_rows.seen(connection, cache)
        keys = set(self.matcher.manifest_store.read_keys(connection, [cache]).get(cache, ()))
        stale = self.next_runs.born_stale(connection, seen.snapshot, {cache: keys}, seen.own_tx)
        derivation = self.matcher.registry.by_id.get(stored.derivation)
        if derivation is None:  # a server with another model has left it
            now = self.clock.now()
            marks = [DueMark(cache, stored.derivation, now, now, cause_text(Cause("new")))]
        else:
            cause = stale.get(cache, stored.marked)
            marks = self.next_runs.after_success(derivation, cache, cause, stored.until)
        self.matcher.due_queue.mark(connection, marks)
        return keys

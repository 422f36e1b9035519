"""Claim batches and run them; in quarantine one cache at a time, whose claim is its trace."""

import uuid
from dataclasses import dataclass

from sqlalchemy import Connection

from afterwork.clock import Clock
from afterwork.derived.matching.matcher import Matcher
from afterwork.derived.queue.cache_schedule import RunStep
from afterwork.derived.queue.due_cache import CacheClaimRequest, ClaimedBatch
from afterwork.derived.queue.registered_derivation import RegisteredDerivation
from afterwork.jobs.quarantine import CACHES, Quarantine, given_up
from afterwork.jobs.source import RunOutcomes, WorkerHandle
from afterwork.sources.derived.batch_runner import BatchRunner
from afterwork.store import suspects
from afterwork.store.suspects import key_of


@dataclass(frozen=True)
class ClaimingRunner:
    """A runner of the queue's steps: it claims due caches and has them run, in quarantine one at a time."""

    matcher: Matcher
    batch_runner: BatchRunner
    quarantine: Quarantine
    clock: Clock

    def run(self, connection: Connection, step: RunStep, worker: WorkerHandle) -> RunOutcomes:
        """Claim the first due caches of a derivation, and run them."""
        derivation = step.derivation
        is_alone = self.quarantine.tries_alone(_scope(derivation))
        limit = 1 if is_alone else self.batch_runner.batch_size(derivation)
        # Noted before the claim exists: a claim that its server doesn't know counts as forgotten.
        claim = str(uuid.uuid4())
        worker.claim(claim, True)
        try:
            request = CacheClaimRequest(derivation, step.is_backfill, limit, worker.server, claim)
            now = self.clock.now()
            with self.matcher.database.light_statement(connection):
                batch = self.matcher.due_queue.claim(connection, request, now)
            if not batch.caches:
                return []
            return self._run_alone(connection, batch) if is_alone else self._run(connection, batch)
        finally:
            worker.claim(claim, False)

    def _run_alone(self, connection: Connection, batch: ClaimedBatch) -> RunOutcomes:
        """Run a single cache, whose claim is its trace, unless it has ended too many servers or workers."""
        key = key_of(batch.caches[0].cache)
        suspect = suspects.find(connection, key)
        connection.commit()
        settings = self.matcher.database.settings
        if suspect is not None and suspect.is_beyond(settings.crash_limit):
            return self.batch_runner.give_up(connection, batch, given_up(suspect, settings))
        runs = self._run(connection, batch)
        if suspect is not None:
            with self.matcher.database.transaction(connection):
                suspects.clear(connection, [key])
        return runs

    def _run(self, connection: Connection, batch: ClaimedBatch) -> RunOutcomes:
        try:
            return self.batch_runner.run(connection, batch)
        except Exception as error:
            if self.matcher.database.has_lost(connection, error):
                key = key_of(batch.caches[0].cache) if len(batch.caches) == 1 else None
                self.quarantine.lost(_scope(batch.derivation), key, error)
            else:
                self.batch_runner.put_back(connection, batch, error)
            raise


def _scope(derivation: RegisteredDerivation) -> str:
    return f"{CACHES} {derivation.id}"

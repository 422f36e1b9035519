"""The history of a server's runs: sums by minute, and records of those that are worth a look.

Nothing is written for each run. What has accumulated is written every few seconds, and when the server stops; if it is
killed, the sums of these seconds are lost, but no ticket.
"""

import threading
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from afterwork.events import Event, Facts, Failed, PutOff, Ran, RanTogether, SourceKind
from afterwork.settings import Settings
from afterwork.store import history
from afterwork.store.database import Database
from afterwork.store.history import Cell, Histogram, HistoryKey, RecordedOutcome, RunRecord, Sums
from afterwork.store.periods import add_to_hours

RECORDS_PER_MINUTE = 20
"""Records of one work in one minute for one outcome. Further runs are only counted."""

MAX_CELLS, MAX_RECORDS = 20_000, 2_000
"""The most that is kept while nothing can be written."""

LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)


class RunHistory:
    """Listens to the events of one server, from any of its threads."""

    def __init__(self, settings: Settings) -> None:
        self._slow = settings.slow_run.total_seconds()
        self._lock = threading.Lock()
        self._records: list[RunRecord] = []
        self._recorded: Counter[tuple[str, RecordedOutcome]] = Counter()
        # All sums of the current minute, and the keys of those changed since they were last written.
        self._minute = self._until = LONG_AGO
        self._sums: dict[tuple[str, SourceKind], Sums] = {}
        self._changed: set[tuple[str, SourceKind]] = set()
        # Unwritten sums of past minutes.
        self._over: dict[Cell, Sums] = {}
        self.ended = 0
        """The number of runs that have ended in any way since the server began."""

    @property
    def is_new(self) -> bool:
        return bool(self._changed or self._over or self._records)

    def note(self, event: Event) -> None:
        match event:
            case Ran(facts=facts):
                self._note(event.work, "done", facts)
                if facts.seconds >= self._slow:
                    self._record(event, "done", facts)
            case RanTogether(facts=facts, count=count):
                self._note(event.work, "done", facts, count)
            case Failed(facts=facts, error=error):
                self._note(event.work, "failed", facts)
                self._record(event, "failed", facts, error)
            case PutOff(facts=facts, error=error):
                self._note(event.work, "put off", facts)
                self._record(event, "put off", facts, error)
            case _:
                pass

    def _note(self, work: str, outcome: RecordedOutcome, facts: Facts, count: int = 1) -> None:
        with self._lock:
            self.ended += count
            if facts.ended >= self._until:
                self._begin_minute(facts.ended)
            key = work, facts.source
            sums = self._sums.get(key)
            if sums is None:
                sums = self._sums[key] = Sums()
            _add(sums, outcome, facts, count)
            self._changed.add(key)

    def _begin_minute(self, moment: datetime) -> None:
        self._over |= {Cell(self._minute, HistoryKey(*key)): self._sums[key] for key in self._changed}
        self._sums, self._changed = {}, set()
        self._recorded.clear()
        self._minute = moment.replace(second=0, microsecond=0)
        self._until = self._minute + timedelta(minutes=1)

    def _record(
        self, event: Ran | Failed | PutOff, outcome: RecordedOutcome, facts: Facts, error: str | None = None
    ) -> None:
        with self._lock:
            self._recorded[event.work, outcome] += 1
            if self._recorded[event.work, outcome] <= RECORDS_PER_MINUTE and len(self._records) < MAX_RECORDS:
                self._records.append(
                    RunRecord(
                        event.run,
                        facts.ticket,
                        event.work,
                        event.root_id,
                        facts.source,
                        0,
                        facts.ended,
                        facts.seconds,
                        outcome,
                        facts.attempt,
                        error,
                        facts.trace or None,
                    )
                )

    def write(self, database: Database, connection: Connection, server: int) -> None:
        """Write what is new, in a transaction of its own. If that raises, keep it for the next time."""
        sums, records = self._take()
        try:
            with database.light_transaction(connection, ()):
                add_to_hours(connection, server, history.write(connection, server, sums, records))
        except BaseException:
            self._take_back(sums, records)
            raise

    def _take(self) -> tuple[dict[Cell, Sums], list[RunRecord]]:
        with self._lock:
            of_minute = {Cell(self._minute, HistoryKey(*key)): _copy(self._sums[key]) for key in self._changed}
            sums, records = self._over | of_minute, self._records
            self._over, self._changed, self._records = {}, set(), []
        return sums, records

    def _take_back(self, sums: dict[Cell, Sums], records: list[RunRecord]) -> None:
        """Keep what could not be written. If that lasts, the oldest is given up."""
        with self._lock:
            self._changed |= {(cell.key.work, cell.key.source) for cell in sums if cell.minute == self._minute}
            over = {cell: past for cell, past in sums.items() if cell.minute != self._minute} | self._over
            self._over = {cell: over[cell] for cell in sorted(over)[-MAX_CELLS:]}
            self._records = [*records, *self._records][:MAX_RECORDS]


def _add(sums: Sums, outcome: RecordedOutcome, facts: Facts, count: int) -> None:
    latency, seconds = facts.latency, facts.seconds
    if outcome == "done":
        sums.done += count
        if latency is not None:
            sums.latency.add(latency, count)
    elif outcome == "failed":
        sums.failed += count
    else:
        sums.put_off += count
    sums.seconds += seconds * count
    sums.took.add(seconds, count)
    if latency is not None and latency > seconds:
        sums.wait += (latency - seconds) * count


def _copy(sums: Sums) -> Sums:
    return replace(sums, took=sums.took + Histogram(), latency=sums.latency + Histogram())

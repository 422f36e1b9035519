"""Whether an installation is right, and what to do where it is not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, inspect, select

from afterwork.insight import machines, servers
from afterwork.insight import once as once_views
from afterwork.insight.aside import kept_aside
from afterwork.journal import capture
from afterwork.model.reading import ReadModel
from afterwork.store import once, schema, tables
from afterwork.store.database import Database

INSTALL = "Run: afterwork install MODULE:APP --database URL"


@dataclass(frozen=True)
class Finding:
    """One thing that `check` looked at. `advice` says what to do if it is not right. With `is_note`, that is worth
    knowing but no fault of the installation."""

    what: str
    right: bool
    advice: str = ""
    is_note: bool = False

    @property
    def is_fault(self) -> bool:
        return not self.right and not self.is_note


@dataclass(frozen=True)
class Check:
    """Looks at one installation."""

    database: Database
    model: ReadModel
    now: datetime

    def findings(self, connection: Connection) -> Iterator[Finding]:
        """All that was looked at, one after the other."""
        contract = self.model.contract
        yield Finding(
            f"model: {len(self.model.classes)} classes, {len(self.model.works)} works, "
            f"tickets in {contract.table.fullname}",
            True,
        )
        if not inspect(connection).has_table(contract.table.name, schema=contract.table.schema):
            yield Finding(f"table {contract.table.fullname}", False, "Create the application's own tables first.")
            return
        found = schema.version(connection)
        yield Finding(f"Afterwork's tables, version {found or 'none'}", found == tables.SCHEMA_VERSION, INSTALL)
        missing = schema.missing_indexes(self.database, connection, contract)
        yield Finding(f"indexes on {contract.table.fullname}", not missing, f"Missing: {', '.join(missing)}. {INSTALL}")
        if self.database.dialect == "postgresql":
            yield Finding("trigger that wakes servers", schema.has_wake_trigger(connection, contract), INSTALL)
        if found == tables.SCHEMA_VERSION:
            if self.model.caches:
                yield from self._capture(connection)
            yield from self._machines(connection)
            yield from self._failed_once(connection)
            yield from self._gone_timers(connection)
            there = servers.living(self.database, connection, self.now)
            yield Finding(
                f"servers: {', '.join(there) or 'none'}",
                bool(there),
                "Start one: afterwork serve MODULE:APP --database URL",
                is_note=True,
            )

    def _machines(self, connection: Connection) -> Iterator[Finding]:
        """Objects in states that are gone, and transitions that may get in each other's way."""
        for name, state, count in machines.unknown_states(self.database, connection, self.model):
            advice = "Update these rows to a state that the machine has. As they are, they can't move."
            yield Finding(f"{name}: {count:,} objects stand in {state!r}, which the machine has not", False, advice)
        for name, state, steps in machines.rivals(self.model):
            advice = f"Of those whose guards hold, the first is taken: {'; '.join(steps)}."
            yield Finding(
                f"{name}: {len(steps)} transitions without an event leave {state}", False, advice, is_note=True
            )
        for met in machines.met_rivals(connection, self.model):
            found = f"{met.machine}: in {met.rival.source}, two transitions were possible at once"
            advice = (
                f"{met.rival.taken} was taken, and {met.rival.rival} was not: first by {met.root_id}, at "
                f"{met.at:%Y-%m-%d %H:%M:%S}. If that is wrong, let their guards exclude each other."
            )
            yield Finding(found, False, advice, is_note=True)

    def _failed_once(self, connection: Connection) -> Iterator[Finding]:
        """What has failed that runs once per database, so that what stands below it waits."""
        for name in once.failed(connection, once_views.names(self.model)):
            advice = f"See why, put it right, and: afterwork once MODULE:APP --retry {name} --database URL"
            yield Finding(f"{name}, which runs once, has failed", False, advice)

    def _gone_timers(self, connection: Connection) -> Iterator[Finding]:
        """What timers were renamed or taken out."""
        for name in sorted(set(connection.execute(select(tables.timer.c.name)).scalars()) - self.model.timers.keys()):
            advice = "It was renamed or taken out, and does not fire. A timer of a new name is a new timer."
            yield Finding(f"timer {name}: the model does not have it", False, advice, is_note=True)

    def _capture(self, connection: Connection) -> Iterator[Finding]:
        """Whether every change of what caches may read is noticed."""
        problems = capture.problems(self.database, connection, self.model.tables)
        for problem in problems:
            yield Finding(f"capture on {problem.table}: {problem.what}", False, problem.advice)
        if not problems:
            yield Finding(f"capture on {len(self.model.tables)} tables", True, INSTALL)
        for what, right, advice in kept_aside(connection):
            yield Finding(what, right, advice, is_note=True)

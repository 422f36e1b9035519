"""Turning the triggers of the table `line` off and on again, so that the same table is measured with and without."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.cache.drivers.raw import Raw
from benchmarks.support.contestant import Failed

FIRST_NEW = 10_000_000
"""The first key of lines that a measurement inserts."""

TRIGGERS = (
    "SELECT tgname, tgenabled FROM pg_trigger WHERE tgrelid = 'line'::regclass AND NOT tgisinternal ORDER BY tgname"
)
ENABLED = {"O": "ENABLE TRIGGER", "A": "ENABLE ALWAYS TRIGGER"}
ON_SQLITE = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'line' ORDER BY rowid"
TAKEN = ("afterwork_journal", "afterwork_touch")
"""The tables that triggers write into."""


@dataclass(frozen=True)
class TriggerSwitch:
    """Switches the triggers of the table. `captured` says how each can be put back."""

    raw: Raw
    captured: Mapping[str, str]

    @classmethod
    def of(cls, raw: Raw) -> "TriggerSwitch":
        """Return the switch of a database in which Afterwork is installed."""
        rows = dict(raw(ON_SQLITE if raw.is_sqlite else TRIGGERS))
        if not rows:
            raise Failed("nothing was installed on the table")
        return cls(raw, rows)

    def turn(self, *, on: bool) -> None:
        """Turn the triggers on or off."""
        if not self.raw.is_sqlite:
            for name, enabled in self.captured.items():
                self.raw(f'ALTER TABLE line {ENABLED[enabled] if on else "DISABLE TRIGGER"} "{name}"')
        else:
            for name, definition in self.captured.items():
                self.raw(f'DROP TRIGGER IF EXISTS "{name}"')
                if on:
                    self.raw(definition)

    def settle(self) -> None:
        """Restore the state that each block starts from: no dead rows, and nothing that a server would take."""
        self.raw(f"DELETE FROM line WHERE id >= {FIRST_NEW}")
        for name in TAKEN:
            self.raw(f"{'DELETE FROM' if self.raw.is_sqlite else 'TRUNCATE'} {name}")
        self.raw("PRAGMA wal_checkpoint(TRUNCATE)" if self.raw.is_sqlite else "VACUUM line")

"""Checks of a SQLite file: that readers and the writer don't block each other, and what a crash costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afterwork.insight.check.finding import INSTALL, CheckContext, Finding

LAST = "A power cut may lose the last commits, tickets included; the file stays intact. Set it to FULL."
BROKEN = "A power cut may corrupt the file. Set it to FULL, or leave it out."
OFF, NORMAL = 0, 1
NAMES = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def look(scene: CheckContext) -> Iterator[Finding]:
    """Yield the modes of the file, as the application's own connections have them."""
    if scene.database.shares_one_connection:
        return
    mode = str(_pragma(scene, "journal_mode"))
    advice = f"Readers block writers. {INSTALL}"
    yield Finding(f"journal mode of the file is {mode}", mode == "wal", advice)
    level = int(_pragma(scene, "synchronous"))
    what = f"synchronous is {NAMES.get(level, level)}"
    yield Finding(what, level > NORMAL, BROKEN if level == OFF else LAST, is_note=level == NORMAL)
    yield _log(scene)


def _log(scene: CheckContext) -> Finding:
    """Return the size of the write-ahead log, which is checkpointed up to what the oldest reader needs."""
    (path,) = [row[2] for row in _rows(scene, "PRAGMA database_list") if row[1] == "main"]
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.exists() else 0
    advice = (
        "A long reading transaction keeps the log from being checkpointed. End it; "
        "then: PRAGMA wal_checkpoint(TRUNCATE)."
    )
    what = f"write-ahead log has {size / 1e6:,.1f} MB"
    return Finding(what, size <= scene.limits.wal_bytes, advice, is_note=True)


def _pragma(scene: CheckContext, name: str) -> Any:
    return _rows(scene, f"PRAGMA {name}")[0][0]


def _rows(scene: CheckContext, statement: str) -> list[Any]:
    return list(scene.connection.exec_driver_sql(statement).all())

"""How a SQLite file is written: whether readers and the writer get out of each other's way, and what a crash costs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from afterwork.insight.check.finding import INSTALL, CheckContext, Finding

LAST = "What was committed last may be gone after a power cut, tickets included; the file stays whole. Set it to FULL."
BROKEN = "After a power cut the file may be broken. Set it to FULL, or leave it out."
OFF, NORMAL = 0, 1
NAMES = {0: "OFF", 1: "NORMAL", 2: "FULL", 3: "EXTRA"}


def look(scene: CheckContext) -> Iterator[Finding]:
    """The modes of the file, as the application's own connections have them."""
    if scene.database.dialect != "sqlite" or scene.database.shares_one_connection:
        return
    mode = str(_pragma(scene, "journal_mode"))
    advice = f"Whoever reads keeps others from writing. {INSTALL}"
    yield Finding(f"journal mode of the file is {mode}", mode == "wal", advice)
    level = int(_pragma(scene, "synchronous"))
    what = f"synchronous is {NAMES.get(level, level)}"
    yield Finding(what, level > NORMAL, BROKEN if level == OFF else LAST, is_note=level == NORMAL)
    yield _log(scene)


def _log(scene: CheckContext) -> Finding:
    """The write-ahead log is taken into the file as far as no reader needs it."""
    (path,) = [row[2] for row in _rows(scene, "PRAGMA database_list") if row[1] == "main"]
    log = Path(f"{path}-wal")
    size = log.stat().st_size if log.exists() else 0
    advice = (
        "Some connection has read in one transaction for long, so that the log can't be taken into the file. End it; "
        "then: PRAGMA wal_checkpoint(TRUNCATE)."
    )
    what = f"write-ahead log has {size / 1e6:,.1f} MB"
    return Finding(what, size <= scene.limits.wal_bytes, advice, is_note=True)


def _pragma(scene: CheckContext, name: str) -> Any:
    return _rows(scene, f"PRAGMA {name}")[0][0]


def _rows(scene: CheckContext, statement: str) -> list[Any]:
    return list(scene.connection.exec_driver_sql(statement).all())

"""Checks of a SQLite file: that readers and the writer don't block each other, and what a crash costs."""

import shutil
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
    yield _room(scene)


def _room(scene: CheckContext) -> Finding:
    """Return how far the file can grow: by its disk, and by the limit that its connections set."""
    path = _path(scene)
    size, used, free, most = (
        int(_pragma(scene, name)) for name in ("page_size", "page_count", "freelist_count", "max_page_count")
    )
    room = min(shutil.disk_usage(path.parent).free, (most - used) * size) + free * size
    advice = (
        "Make room: without it, nothing can be saved and no job can end. Delete what is not needed, or move the file."
    )
    return Finding(f"the database file has room for {room / 1e6:,.0f} MB more", room >= scene.limits.room_bytes, advice)


def _path(scene: CheckContext) -> Path:
    (path,) = [row[2] for row in _rows(scene, "PRAGMA database_list") if row[1] == "main"]
    return Path(path)


def _log(scene: CheckContext) -> Finding:
    """Return the size of the write-ahead log, which is checkpointed up to what the oldest reader needs."""
    log = Path(f"{_path(scene)}-wal")
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

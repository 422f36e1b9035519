"""The exactness of timers, and the cost of those that are not due.

    python benchmarks/timers.py [--seconds 60]

A timer of one second runs on each database at the same time; the time at which its job runs is compared with its due
time. Then the statements of an idle server are counted, with one timer and with a thousand that are not due.
"""

import argparse
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.orm import DeclarativeBase

import afterwork as aw

WITHIN = timedelta(milliseconds=50)
MANY = 1000
IDLE_SECONDS = 10


def model(timers: int, ran: list[tuple[datetime, datetime]]) -> Any:
    """Return a model with one timer that ticks each second, or with many that are due next year."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    kept: list[type] = [SysAsyncTicket]
    Base.kept = kept  # the model has its classes for as long as they are there

    def tick(self: Any) -> None:
        ran.append((self.due, datetime.now(UTC)))

    when: Any = aw.Every(seconds=1) if timers == 1 else aw.Cron("0 0 29 2 *")
    for number in range(timers):
        parts = {"when": when, "due": aw.variable(), "tick": aw.action(tick)}
        made = type(f"Tick{number}", (aw.ViewModel,), parts, model=Base)
        kept.append(made)
    return Base


@contextmanager
def places() -> Iterator[dict[str, URL]]:
    from benchmarks.support.postgres import fresh_database, postgres

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="afterwork-timers-"))
        server = stack.enter_context(postgres())
        found = stack.enter_context(fresh_database(server))
        yield {"SQLite": make_url(f"sqlite:///{Path(folder) / 'timers.db'}"), "PostgreSQL": found}


def drift(url: URL, seconds: float, stack: ExitStack) -> list[tuple[datetime, datetime]]:
    """Let a timer tick until the stack is left."""
    ran: list[tuple[datetime, datetime]] = []
    base = model(1, ran)
    engine = create_engine(url)
    base.metadata.create_all(engine)
    app = aw.Afterwork(base)
    app.install(engine)
    stack.enter_context(app.serving(engine))
    return ran


def idle_statements(url: URL, timers: int) -> float:
    """Return the statements per minute of an idle server whose timers are not due."""
    base = model(timers, [])
    engine = create_engine(url)
    base.metadata.create_all(engine)
    app = aw.Afterwork(base)
    app.install(engine)
    sent = 0

    def count(*_: Any) -> None:
        nonlocal sent
        sent += 1

    with app.serving(engine):
        time.sleep(3)
        event.listen(engine, "before_cursor_execute", count)
        time.sleep(IDLE_SECONDS)
    event.remove(engine, "before_cursor_execute", count)
    engine.dispose()
    return sent / IDLE_SECONDS * 60


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from benchmarks.support.table import HEADINGS, Row, printed

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    seconds = parser.parse_args().seconds
    rows = []
    with places() as urls:
        with ExitStack() as stack:
            ticking = {kind: drift(url, seconds, stack) for kind, url in urls.items()}
            time.sleep(seconds + 0.5)
        for kind, ran in ticking.items():
            late = [(at - due).total_seconds() * 1000 for due, at in ran[1:]]
            half = len(late) // 2
            growth = median(late[half:]) - median(late[:half])
            missed = round(seconds) - len(ran)
            most = sorted(late)[int(len(late) * 0.99)]
            rows.append(
                Row(
                    f"Every(seconds=1) for {seconds:g} s, {kind}",
                    f"half within {median(late):.1f} ms, longest {max(late):.1f} ms; {len(ran)} rounds",
                    f"second half later by {growth:.1f} ms",
                    "-",
                    f"less than {WITHIN.total_seconds() * 1000:.0f} ms",
                    most < WITHIN.total_seconds() * 1000 and abs(growth) < 5 and missed <= 1,
                )
            )
    with places() as urls:
        few = idle_statements(urls["SQLite"], 2)
    with places() as urls:
        many = idle_statements(urls["SQLite"], MANY)
    rows.append(
        Row(
            f"statements per minute, idle, {MANY:,} timers that are not due",
            f"{many:.1f}",
            f"2 timers: {few:.1f}",
            "-",
            "no more",
            many <= few,
        )
    )
    print(printed(HEADINGS, [row.cells() for row in rows]))
    return 1 if any(row.met is False for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

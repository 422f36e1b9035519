"""The contestants: each has a driver, and works in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.support.place import Kind, Place

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
STOPS_WITHIN = 10.0
LOOK = 0.1


class Failed(Exception):
    """A contestant could not do what was asked of it."""


@dataclass(frozen=True)
class Contestant:
    """A contestant on one kind of database. `most` is the number of jobs that it can be asked to drain."""

    name: str
    module: str
    kind: Kind
    python: str = sys.executable
    most: int = 10_000
    latency: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, place: Place, command: str, *numbers: int) -> str:
        """Run one of its driver's commands to its end. Returns what it printed."""
        try:
            done = subprocess.run(
                self._command(place, command, *numbers),
                env=self._environment(),
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Failed(f"{command} took more than {PATIENCE:.0f} s") from None
        if done.returncode:
            raise Failed(f"{command}: {last_line(done.stderr)}")
        return done.stdout

    @contextmanager
    def working(self, place: Place, latency_log: Path | None = None) -> Iterator["Worker"]:
        """Yield its worker, in a process of its own while the block lasts."""
        extra = {} if latency_log is None else {"LATENCY_LOG": str(latency_log)}
        out, err = place.folder / "worker.out", place.folder / "worker.err"
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                self._command(place, "work"),
                env=self._environment() | extra,
                cwd=ROOT,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        worker = Worker(process, out, err)
        try:
            yield worker
        finally:
            worker.stop()

    def _command(self, place: Place, command: str, *numbers: int) -> list[str]:
        return [self.python, "-m", self.module, command, place.address, *map(str, numbers)]

    def _environment(self) -> dict[str, str]:
        return {**os.environ, **self.environment}


@dataclass
class Worker:
    """A worker's process."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def stop(self) -> None:
        """End it and its child processes."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(STOPS_WITHIN)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def check(self) -> None:
        """Raise `Failed` if it has ended."""
        if self.process.poll() is not None:
            raise Failed(f"the worker ended: {last_line(self.err.read_text())}")

    def report(self) -> dict[str, Any]:
        """Return the report of Afterwork's driver at its end."""
        self.stop()
        try:
            return dict(json.loads(self.out.read_text().splitlines()[-1]))
        except (IndexError, ValueError):
            raise Failed(f"the server gave no report: {last_line(self.err.read_text())}") from None

    def wait_for(self, place: Place, number: int) -> None:
        """Wait until `count` numbers have been given."""
        until = time.monotonic() + PATIENCE
        while place.last_number() < number:
            self.check()
            if time.monotonic() > until:
                raise Failed(f"{place.last_number()} of {number} jobs done in {PATIENCE:.0f} s")
            time.sleep(LOOK)
        time.sleep(LOOK)  # for what comes after the effect


def last_line(text: str) -> str:
    """Return the end of a process's output."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it said nothing"


AFTERWORK: dict[Kind, Contestant] = {
    "PostgreSQL": Contestant("Afterwork", "benchmarks.drivers.afterwork", "PostgreSQL"),
    "SQLite": Contestant("Afterwork", "benchmarks.drivers.afterwork", "SQLite"),
}

ORM_LOOP = Contestant("ORM loop, by hand", "benchmarks.drivers.loop_orm", "PostgreSQL")

LOOP: dict[Kind, Contestant] = {
    "PostgreSQL": Contestant("psycopg loop, by hand", "benchmarks.drivers.loop_postgresql", "PostgreSQL"),
    "SQLite": Contestant("sqlite3 loop, by hand", "benchmarks.drivers.loop_sqlite", "SQLite"),
}

BATCHES: dict[Kind, Contestant] = {
    kind: Contestant("ORM batches, by hand", "benchmarks.drivers.loop_batches", kind) for kind in LOOP
}

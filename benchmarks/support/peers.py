"""The peers, each in an environment of its own outside of the project, created when first used and kept."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.support.contestant import Contestant, Failed, last_line
from benchmarks.support.place import Kind

HOME = Path(tempfile.gettempdir()) / "afterwork-peers"
PSYCOPG = "psycopg[binary]==3.3.9"
UVLOOP = "uvloop==0.23.0"


@dataclass(frozen=True)
class Peer:
    """A peer's requirements, and its driver. A slow one drains only `most` jobs; `how` is its way to exclusive access,
    or to keep a value right."""

    name: str
    how: str
    needs: tuple[str, ...]
    kind: Kind = "PostgreSQL"
    most: int = 1000
    python: tuple[int, int] = (3, 11)
    variable: str = ""
    drivers: str = "benchmarks.peers"
    environment: Mapping[str, str] = field(default_factory=dict)

    def contestant(self) -> Contestant:
        """Install the peer, and return its contestant. Raises `Failed` if that is impossible."""
        if self.variable and self.variable not in os.environ:
            raise Failed(f"needs {self.variable}")
        return Contestant(
            f"{self.name}, {self.how}",
            f"{self.drivers}.{self.name.lower()}",
            self.kind,
            str(self._installed()),
            self.most,
            environment=self.environment,
        )

    def _installed(self) -> Path:
        folder = HOME / self.name.lower()
        python, ready, wanted = folder / "bin" / "python", folder / "installed", "\n".join(self.needs)
        if not ready.exists() or ready.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _run([find_python(self.python), "-m", "venv", str(folder)])
            _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *self.needs])
            ready.write_text(wanted)
        return python


PEERS = [
    Peer("PgQueuer", "asyncio.Lock", ("pgqueuer[asyncpg]==1.6.0", UVLOOP), most=10_000),
    Peer("Procrastinate", "same lock", ("procrastinate==3.10.0", PSYCOPG)),
    Peer("Oban", "limit 1", ("oban==0.7.0", PSYCOPG, UVLOOP), python=(3, 12)),
    Peer("Absurd", "concurrency 1", ("absurd-sdk==0.5.1", "absurdctl==0.5.1", PSYCOPG), most=500),
    Peer("DBOS", "worker_concurrency 1", ("dbos==3.4.0", PSYCOPG), most=100),
    Peer("Celery", "solo", ("celery==5.7.0", "redis==8.1.0", "packaging", PSYCOPG), variable="REDIS_URL"),
    Peer("Huey", "one worker", ("huey==3.5.4",), kind="SQLite", most=10_000),
]


def find_python(least: tuple[int, int]) -> str:
    """Return a Python that is new enough. Raises `Failed` without one."""
    if sys.version_info >= least:
        return sys.executable
    for candidate in _pythons():
        code = f"import sys; sys.exit(sys.version_info < {least})"
        if subprocess.run([candidate, "-c", code], capture_output=True, check=False).returncode == 0:
            return candidate
    raise Failed(f"needs Python {'.'.join(map(str, least))} or newer, which was not found")


def _pythons() -> Iterator[str]:
    for minor in (12, 13, 14):
        if found := shutil.which(f"python3.{minor}"):
            yield found
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    yield from map(str, sorted(pyenv.glob("versions/3.1[2-9]*/bin/python")))


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"could not be installed: {last_line(done.stderr)}")

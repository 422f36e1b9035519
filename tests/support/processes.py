"""Real processes that a test starts, stops, continues and kills. All of them are gone when the test has ended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


class Process:
    """A Python process that runs a module."""

    def __init__(self, module: str, arguments: list[str], environment: dict[str, str], output: Path) -> None:
        self.output = output
        with output.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-X", "faulthandler", "-m", module, *arguments],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )

    @property
    def id(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """Stop it in the middle of whatever it does. Returns when it has stopped."""
        self.send(signal.SIGSTOP)
        self.wait_until_stopped()

    def wait_until_stopped(self) -> None:
        eventually(lambda: self._state() == "T")

    def resume(self) -> None:
        """Let it go on after `stop`."""
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """kill -9. Returns when it is gone."""
        self.send(signal.SIGKILL)
        self._process.wait()

    def wait(self, seconds: float = 15) -> int:
        """Wait for its end. Returns its exit code: negative, the signal that has killed it. If it doesn't come in time,
        the process prints what its threads are doing."""
        try:
            return self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.send(signal.SIGABRT)
            self._process.wait()
            raise

    def _state(self) -> str:
        fields = Path(f"/proc/{self.id}/stat").read_text().rpartition(")")[2].split()
        return fields[0]


@dataclass
class Processes:
    """Starts processes."""

    folder: Path
    environment: dict[str, str]
    started: list[Process] = field(default_factory=list)

    def start(self, module: str, *arguments: str) -> Process:
        process = Process(module, list(arguments), self.environment, self.folder / f"process-{len(self.started)}.txt")
        self.started.append(process)
        return process


@contextmanager
def processes(folder: Path, environment: dict[str, str]) -> Iterator[Processes]:
    """A starter of processes. At the end it kills those that still live, and prints what they all have printed."""
    made = Processes(folder, environment)
    try:
        yield made
    finally:
        for process in made.started:
            process.kill()
            if text := process.output.read_text().strip():
                print(f"--- process {process.id} said:\n{text}")

"""Real processes that a test starts, stops, continues and kills. All of them are gone when the test has ended."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import STEP, eventually

ROOT = Path(__file__).parents[2]


class Forks:
    """Where processes come from: `tests.support.fork_main`, which is asked and answers line by line."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-m", "tests.support.fork_main"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> int | None:
        sent, answered = self._process.stdin, self._process.stdout
        assert sent is not None
        assert answered is not None
        sent.write(json.dumps(request) + "\n")
        sent.flush()
        answer: int | None = json.loads(answered.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def forks() -> Iterator[Forks]:
    """Forks processes as long as the block lasts."""
    made = Forks()
    try:
        yield made
    finally:
        made.close()


class Process:
    """A Python process that runs a module."""

    def __init__(
        self,
        forks: Forks,
        module: str,
        arguments: list[str],
        environment: dict[str, str],
        folder: Path,
        output: Path,
    ) -> None:
        self.output = output
        self.output.touch()
        self._forks = forks
        self._exit_code: int | None = None
        asked = {
            "module": module,
            "arguments": arguments,
            "environment": os.environ | environment,
            "folder": str(folder),
            "output": str(output),
        }
        started = forks.ask(start=asked)
        assert started is not None
        self.id = started

    @property
    def lives(self) -> bool:
        return self._poll() is None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still lives."""
        # Nobody else gets its id before `_poll` has told that it has ended.
        if self.lives:
            os.kill(self.id, number)

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
        self.wait()

    def wait(self, seconds: float = 60) -> int:
        """Wait for its end. Returns its exit code: negative, the signal that has killed it. If it doesn't come in time,
        the process prints what its threads are doing."""
        deadline = time.monotonic() + seconds
        while (code := self._poll()) is None:
            if time.monotonic() > deadline:
                self.send(signal.SIGABRT)
                eventually(lambda: not self.lives)
                raise TimeoutError(f"process {self.id} has not ended within {seconds} seconds")
            time.sleep(STEP)
        return code

    def _poll(self) -> int | None:
        if self._exit_code is None:
            self._exit_code = self._forks.ask(poll=self.id)
        return self._exit_code

    def _state(self) -> str:
        fields = Path(f"/proc/{self.id}/stat").read_text().rpartition(")")[2].split()
        return fields[0]


@dataclass
class Processes:
    """Starts processes."""

    forks: Forks
    folder: Path
    environment: dict[str, str]
    started: list[Process] = field(default_factory=list)

    def start(self, module: str, *arguments: str, folder: Path = ROOT) -> Process:
        """Start a module in a folder."""
        output = self.folder / f"process-{len(self.started)}.txt"
        process = Process(self.forks, module, list(arguments), self.environment, folder, output)
        self.started.append(process)
        return process


@contextmanager
def processes(forks: Forks, folder: Path, environment: dict[str, str]) -> Iterator[Processes]:
    """A starter of processes. At the end it kills those that still live, and prints what they all have printed."""
    made = Processes(forks, folder, environment)
    try:
        yield made
    finally:
        for process in made.started:
            process.kill()
            if text := process.output.read_text().strip():
                print(f"--- process {process.id} said:\n{text}")

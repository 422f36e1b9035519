"""A process that has imported what tests run in processes of their own, and forks one for each that is asked for.

A fork takes some milliseconds, where a new interpreter takes more than a second. What is forked is a process like any
other: it has its own signals, environment, output and exit code. Reads a request from each line, JSON, and answers it:

- `{"start": {"module", "arguments", "environment", "folder", "output"}}`: the process id of one that runs the module's
  `main` in a folder;
- `{"poll": id}`: its exit code, negative for the signal that has killed it; null while it lives.
"""

import gc
import importlib
import json
import os
import signal
import sys
from typing import Any

# What servers need while they run, also that which is imported late.
PRELOADED = (
    "afterwork",
    "afterwork.cli",
    "afterwork.store.postgresql.database",
    "examples.shop",
    "psycopg",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
    "tests.support.application_main",
    "tests.support.orders",
    "tests.support.server_main",
    "tests.support.timed",
    "tests.support.trade",
    "tests.support.upgraded",
)


def serve() -> dict[str, Any] | None:
    """Answer requests until there are no more. In a forked process, returns what it is to run."""
    living: set[int] = set()
    for line in sys.stdin:
        request = json.loads(line)
        if "start" in request:
            process = os.fork()
            if process == 0:
                return dict(request["start"])
            living.add(process)
            answer: int | None = process
        else:
            answer = exit_code(request["poll"])
            if answer is not None:
                living.discard(request["poll"])
        print(json.dumps(answer), flush=True)
    for process in living:  # the tests were killed themselves
        os.kill(process, signal.SIGKILL)
    return None


def exit_code(process: int) -> int | None:
    """Of a process that was forked here. Can be asked until it is told; then the process is gone."""
    ended, status = os.waitpid(process, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def run(module: str, arguments: list[str], environment: dict[str, str], folder: str, output: str) -> int | None:
    """Be a process that was started as `python -m module arguments`."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for target, source in ((0, nothing), (1, written), (2, written)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(written)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[0] = folder
    sys.argv = [module, *arguments]
    code: int | None = importlib.import_module(module).main()
    return code


def main() -> int | None:
    for name in PRELOADED:
        importlib.import_module(name)
    gc.freeze()  # so that collecting garbage does not copy all memory in each child
    asked = serve()
    return None if asked is None else run(**asked)


if __name__ == "__main__":
    sys.exit(main())

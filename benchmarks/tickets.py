"""The speed of Afterwork, compared with its peers and with loops written by hand: `python benchmarks/tickets.py`.

The work is the same for all: one worker gives unique numbers without gaps to customers, one after the other. README.md
in this folder describes the measurements.
"""

import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

ROWS = ("drain", "many", "flow", "asking", "latency", "wait", "saving", "ended", "fair", "awaited", "memory", "idle")


def main() -> int:
    # Found from wherever it is started; what it imports comes after that.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from benchmarks.support.bench import QUICK, Bench, Sizes
    from benchmarks.support.options import arguments
    from benchmarks.support.postgres import postgres
    from benchmarks.support.report import measure, report

    asked = arguments(ROWS, __doc__)
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        bench = Bench(server, QUICK if asked.quick else Sizes(), asked.peers)
        result = measure(bench, asked.only)
        print(report(bench, result, time.monotonic() - began))
    return 1 if any(row.met is False for row in result.rows) else 0


if __name__ == "__main__":
    sys.exit(main())

"""The speed and cost of keeping derived values right, compared with the same job run by hand and with peers: `python
benchmarks/caches.py`.

The work: 1,000 customers with 50 orders of 5 lines; a customer's total is the sum over its lines. README.md in this
folder describes the measurements.
"""

import sys
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

ROWS = (
    "python",
    "sql",
    "commit",
    "bulk",
    "touches",
    "chain",
    "fill",
    "sustained",
    "batches",
    "lazy",
    "runs",
    "tracking",
    "race",
    "capture",
    "manifests",
    "space",
    "writers",
    "isolation",
)


def main() -> int:
    # Found from wherever it is started; what it imports comes after that.
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    warnings.filterwarnings("ignore", message="Dialect sqlite.* does \\*not\\* support Decimal objects natively")
    from benchmarks.cache.bench import PEERS, QUICK, CacheBench, Sizes
    from benchmarks.cache.report import measure, report
    from benchmarks.support.options import arguments
    from benchmarks.support.postgres import postgres

    asked = arguments(ROWS, __doc__)
    began = time.monotonic()
    with ExitStack() as stack:
        server = stack.enter_context(postgres())
        bench = CacheBench(server, QUICK if asked.quick else Sizes(), asked.peers, PEERS)
        result = measure(bench, asked.only)
        print(report(bench, result, time.monotonic() - began))
    return 1 if any(row.met is False for row in result.rows) else 0


if __name__ == "__main__":
    sys.exit(main())

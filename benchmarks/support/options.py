"""The command-line options of both benchmarks."""

import argparse
from collections.abc import Sequence


def arguments(rows: Sequence[str], description: str | None) -> argparse.Namespace:
    """Return `peers`, `quick`, and `only`, the rows to measure: all of them by default."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", action="store_true", help="install the peers, and measure them, too")
    parser.add_argument("--only", default=",".join(rows), metavar="ROW,...", help=f"some of {', '.join(rows)}")
    parser.add_argument("--quick", action="store_true", help="measure less, and less exactly")
    found = parser.parse_args()
    found.only = found.only.split(",")
    if unknown := set(found.only) - set(rows):
        parser.error(f"no such rows: {', '.join(sorted(unknown))}")
    return found

"""The table that the benchmark prints."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One claim: its measurement, its target, and whether it is met; None if it could not be compared."""

    what: str
    ours: str
    other: str
    ratio: str
    needed: str
    met: bool | None

    def cells(self) -> tuple[str, ...]:
        word = {True: "yes", False: "NO", None: "-"}[self.met]
        return (self.what, self.ours, self.other, self.ratio, self.needed, word)


HEADINGS = ("what", "Afterwork", "compared with", "ratio", "at least", "met")
PEER_HEADINGS = ("who", "drain, jobs/s", "latency p50 / p99, ms", "jobs drained")


def printed(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown that is readable as text."""
    widths = [max(len(row[column]) for row in [headings, *rows]) for column in range(len(headings))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(headings), line(["-" * width for width in widths]), *map(line, rows)])


def rate(jobs_per_second: float) -> str:
    """Return a rate with its significant digits."""
    return f"{jobs_per_second:,.0f}/s" if jobs_per_second >= 100 else f"{jobs_per_second:.1f}/s"

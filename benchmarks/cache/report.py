"""All rows in order, and the printed report."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.cache.bench import CacheBench
from benchmarks.cache.rows import (
    batches,
    bulk,
    capture,
    chain,
    commit,
    fill,
    isolation,
    lazy,
    manifests,
    race,
    runs,
    single,
    space,
    sustained,
    tracking,
    writers,
)
from benchmarks.support.bench import KINDS
from benchmarks.support.place import Kind
from benchmarks.support.report import machine
from benchmarks.support.table import HEADINGS, Row, printed

ON_BOTH = {
    "chain": chain,
    "fill": fill,
    "sustained": sustained,
    "batches": batches,
    "lazy": lazy,
    "runs": runs,
    "tracking": tracking,
}
ALL_HEADINGS = ("who", "one change, ms", "bulk update, s", "until all are right, s", "wrong after races")


@dataclass
class Result:
    """The measured rows, and the figures of all contestants, by kind of database and name."""

    rows: list[Row] = field(default_factory=list)
    times: dict[str, single.Times] = field(default_factory=dict)
    bulks: dict[str, bulk.Bulks] = field(default_factory=dict)
    wrongs: race.Wrongs = field(default_factory=dict)


def measure(bench: CacheBench, wanted: Sequence[str]) -> Result:
    """Measure the rows that are wanted."""
    bench.install_peers()
    result = Result()
    for kind in KINDS:
        on_both(bench, wanted, kind, result)
    if "race" in wanted:
        result.rows += race.rows(bench, result.wrongs)
    once = {"capture": capture, "manifests": manifests, "space": space, "writers": writers, "isolation": isolation}
    for name, module in once.items():
        if name in wanted:
            result.rows += module.rows(bench)
    return result


def on_both(bench: CacheBench, wanted: Sequence[str], kind: Kind, result: Result) -> None:
    """Yield the rows that are measured on both kinds of databases."""
    if "python" in wanted:
        result.rows += single.python_rows(bench, kind, result.times.setdefault(kind, {}))
    if "sql" in wanted:
        result.rows += single.sql_rows(bench, kind, result.times.setdefault(kind, {}))
    if "commit" in wanted:
        result.rows += commit.rows(bench, kind, result.times.setdefault(kind, {}))
    if "bulk" in wanted:
        result.rows += bulk.rows(bench, kind, result.bulks.setdefault(kind, {}))
    if "touches" in wanted:
        result.rows += capture.rows_in_sets(bench, kind)
    for name, module in ON_BOTH.items():
        if name in wanted:
            result.rows += module.rows(bench, kind)


def report(bench: CacheBench, result: Result, seconds: float) -> str:
    """Return the report as text."""
    parts = [
        machine(bench.server),
        printed(HEADINGS, [row.cells() for row in result.rows]),
    ]
    if contestants := [line for kind in KINDS for line in lines(result, kind)]:
        parts.append(printed(ALL_HEADINGS, contestants))
    parts += [f"not measured: {name}: {why}" for name, why in bench.failed.items()]
    parts += bench.notes
    parts.append(f"{seconds / 60:.1f} minutes; medians of {bench.sizes.runs} runs")
    return "\n\n".join(parts)


def lines(result: Result, kind: Kind) -> list[tuple[str, ...]]:
    """Yield a line for each contestant on one kind of database, the fastest first."""
    times, bulks = result.times.get(kind, {}), result.bulks.get(kind, {})
    wrongs = result.wrongs if kind == "PostgreSQL" else {}
    names = sorted(times.keys() | bulks.keys() | wrongs.keys(), key=lambda name: times.get(name, float("inf")))
    return [
        (
            f"{name} ({kind})",
            f"{times[name]:.2f}" if name in times else "-",
            f"{bulks[name][0]:.3f}" if name in bulks else "-",
            f"{bulks[name][1]:.3f}" if name in bulks else "-",
            str(wrongs[name]) if name in wrongs else "-",
        )
        for name in names
    ]

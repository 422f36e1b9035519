"""All rows in order, and the printed report."""

import os
import platform
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from sqlalchemy import URL

from benchmarks.rows import (
    asking,
    awaited,
    drain,
    ended,
    fair,
    flow,
    idle,
    latency,
    many,
    memory,
    saving,
    waiting,
)
from benchmarks.support.bench import KINDS, Bench
from benchmarks.support.postgres import admin
from benchmarks.support.table import HEADINGS, PEER_HEADINGS, Row, printed, rate


@dataclass
class Result:
    """The measured rows. `rates` and `latencies` are those of all contestants, by kind of database and name."""

    rows: list[Row] = field(default_factory=list)
    rates: dict[str, drain.Rates] = field(default_factory=dict)
    latencies: dict[str, latency.Latencies] = field(default_factory=dict)


def measure(bench: Bench, wanted: Sequence[str]) -> Result:
    """Measure the rows that are wanted."""
    bench.install_peers()
    result = Result()
    with ExitStack() as stack:
        watched = stack.enter_context(idle.idle_server(bench)) if "idle" in wanted else None
        for kind in KINDS:
            if "drain" in wanted:
                result.rows += drain.rows(bench, kind, result.rates.setdefault(kind, {}))
            if "many" in wanted:
                result.rows += many.rows(bench, kind)
            if "flow" in wanted:
                result.rows.append(flow.row(bench, kind))
            if "asking" in wanted:
                result.rows.append(asking.row(bench, kind))
            if "latency" in wanted:
                result.rows += latency.rows(bench, kind, result.latencies.setdefault(kind, {}))
            if "wait" in wanted:
                result.rows += waiting.rows(bench, kind)
            if "saving" in wanted:
                result.rows += saving.rows(bench, kind)
            if "ended" in wanted:
                result.rows += ended.rows(bench, kind)
            if "fair" in wanted:
                result.rows += fair.rows(bench, kind)
            if "awaited" in wanted:
                result.rows += awaited.rows(bench, kind)
            if "memory" in wanted:
                result.rows += memory.rows(bench, kind)
            if "idle" in wanted:
                result.rows.append(idle.cpu_row(bench, kind))
        if watched is not None:
            result.rows.append(watched.row())
    return result


def report(bench: Bench, result: Result, seconds: float) -> str:
    """Return the report as text."""
    parts = [
        machine(bench.server),
        printed(HEADINGS, [row.cells() for row in result.rows]),
    ]
    if contestants := [line for kind in KINDS for line in lines(bench, result, kind)]:
        parts.append(printed(PEER_HEADINGS, contestants))
    parts += [f"not measured: {name}: {why}" for name, why in bench.failed.items()]
    parts += bench.notes
    parts.append(f"{seconds / 60:.1f} minutes; medians of {bench.sizes.runs} runs")
    return "\n\n".join(parts)


def machine(server: URL) -> str:
    """Return a description of the machine and the databases."""
    with admin(server) as connection:
        version = f"PostgreSQL {connection.info.server_version // 10000}"
    python = f"Python {platform.python_version()}"
    return f"{platform.machine()}, {os.cpu_count()} processors, {python}, {version}, load {os.getloadavg()[0]:.1f}"


def lines(bench: Bench, result: Result, kind: str) -> list[tuple[str, ...]]:
    """Yield a line for each contestant on one kind of database, the fastest first."""
    rates, times = result.rates.get(kind, {}), result.latencies.get(kind, {})
    names = sorted(rates.keys() | times.keys(), key=lambda name: -rates.get(name, 0))
    counts = {peer.name: min(peer.most, bench.sizes.drain) for peer in bench.peers}
    return [
        (
            f"{name} ({kind})",
            rate(rates[name]) if name in rates else "-",
            latency.shown(times[name]) if name in times else "-",
            f"{counts.get(name, bench.sizes.drain):,}" if name in rates else "-",
        )
        for name in names
    ]

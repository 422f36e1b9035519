"""What a total that is right at commit costs the transaction that changes a line."""

from benchmarks.cache.bench import CacheBench, at_commit, bare_update, triggers
from benchmarks.cache.rows.single import Times, against_signals, compared, measure
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

MORE = 1.5
"""Milliseconds that the transaction may take longer than a bare UPDATE."""

OVER_SIGNALS = 4.0


def rows(bench: CacheBench, kind: Kind, known: Times) -> list[Row]:
    """Yield the rows of a transaction that changes one line, compared with a bare one, with triggers and with
    signals."""
    ours, alone, other = at_commit(kind), bare_update(kind), triggers(kind)
    signals = [peer for peer in bench.peers_on(kind) if peer.name.startswith("Signals")]
    times = measure(bench, [ours, alone, other, *signals], known)
    del known[alone.name]  # which leaves its totals wrong
    subject, mine = f"a transaction of one change, right at commit, {kind}", times[ours.name]
    more = mine - times[alone.name]
    return [
        compared(
            f"{subject}: {more:.2f} ms more",
            mine,
            alone.name,
            times[alone.name],
            f"at most {MORE} ms more",
            more <= MORE,
        ),
        compared(subject, mine, other.name, times[other.name]),
        against_signals(bench, kind, subject, mine, times, OVER_SIGNALS),
    ]

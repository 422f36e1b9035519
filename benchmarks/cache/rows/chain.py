"""The time of a bulk update, if the totals are made of other derived values."""

from benchmarks.cache.bench import CacheBench, afterwork_on_levels, by_hand
from benchmarks.cache.rows.bulk import UPDATED, compared, measure
from benchmarks.cache.sets import summing
from benchmarks.support.place import Kind
from benchmarks.support.table import Row

NEEDED = 2.5


def rows(bench: CacheBench, kind: Kind) -> list[Row]:
    """Yield the rows of two and three levels, compared with one level and with the same by hand. The tables are the
    same for all."""
    one, two, three = (afterwork_on_levels(kind, levels) for levels in (1, 2, 3))
    alone, chained = by_hand(kind), by_hand(kind, 3)
    times = measure(bench, [one, two, three, alone, chained], summing(3).metadata)
    subject = f"bulk update of {UPDATED:,} lines, {{}} levels, {kind}"
    return [
        compared(subject.format(3), times[three.name], "one level", times[one.name], NEEDED),
        compared(subject.format(2), times[two.name], "one level", times[one.name]),
        compared(subject.format(3), times[three.name], chained.name, times[chained.name]),
        compared(
            f"the same by hand, 3 levels, {kind}", times[chained.name], f"{alone.name}, one level", times[alone.name]
        ),
    ]

"""The growth of a server's memory while it drains."""

from benchmarks.drivers.afterwork import MEMORY_EVERY
from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.place import Kind, fresh_place
from benchmarks.support.table import Row

FLAT = 1.05


def rows(bench: Bench, kind: Kind) -> list[Row]:
    count, contestant = bench.sizes.memory, AFTERWORK[kind]
    with fresh_place(kind, bench.server, count) as place:
        contestant.run(place, "setup")
        contestant.run(place, "enqueue", count)
        place.settle()
        with contestant.working(place) as worker:
            worker.wait_for(place, count)
            place.check(count)
            memory = worker.report()["memory"]
    first, most, last = memory[0], max(memory), memory[-1]
    ratio = most / first
    say(f"memory, {kind}: {first} MB after {MEMORY_EVERY:,}, {last} MB after {count:,}, at most {most} MB")
    return [
        Row(
            f"memory, {kind}, {count:,} tickets",
            f"{last:.1f} MB at the end, {most:.1f} at most",
            f"after {MEMORY_EVERY:,}: {first:.1f} MB",
            f"{ratio:.3f} ×",
            f"flat: at most {FLAT} ×",
            ratio <= FLAT,
        )
    ]

"""The measurements that all contestants share: draining, and the time from commit to commit."""

from dataclasses import dataclass
from statistics import median

from sqlalchemy import URL

from benchmarks.support.contestant import Contestant, Failed
from benchmarks.support.place import fresh_place

WARM_UP = 10


@dataclass(frozen=True)
class Latency:
    """Latencies from the commit of a request to the commit of its work, in milliseconds."""

    p50: float
    p99: float


def drain_rate(contestant: Contestant, server: URL, count: int) -> float:
    """Return the jobs per second with which a worker drains jobs that waited before it started. Its start is not
    counted."""
    count = min(count, contestant.most)
    with fresh_place(contestant.kind, server, count) as place:
        contestant.run(place, "setup")
        contestant.run(place, "enqueue", count)
        place.settle()
        with contestant.working(place) as worker:
            worker.wait_for(place, count)
            place.check(count)
            if contestant.name == "Afterwork":
                # With its batches' own times: from the first claim to the last commit.
                return count / float(worker.report()["seconds"])
        return (count - 1) / place.seconds_between_effects()


def latency(contestant: Contestant, server: URL, count: int) -> Latency:
    """Return the latencies of single jobs, each sent to an idle worker."""
    total = WARM_UP + count
    with fresh_place(contestant.kind, server, total) as place:
        contestant.run(place, "setup")
        place.settle()
        log = place.folder / "latency.log"
        log.touch()
        with contestant.working(place, log) as worker:
            contestant.run(place, "send", 1, WARM_UP)
            worker.wait_for(place, WARM_UP)
            sent = moments(contestant.run(place, "send", WARM_UP + 1, count))
            worker.wait_for(place, total)
        done = moments(log.read_text())
        place.check(total)
    if sent.keys() - done.keys():
        raise Failed(f"{len(sent.keys() - done.keys())} of {count} jobs left no trace")
    times = sorted((done[customer] - sent[customer]) * 1000 for customer in sent)
    return Latency(median(times), times[min(count - 1, round(count * 0.99))])


def moments(text: str) -> dict[int, float]:
    """Return the times that a log has, by customer."""
    lines = (line.split() for line in text.splitlines())
    return {int(customer): float(moment) for customer, moment in lines}

"""The slowdown of waiting tickets by ended ones.

One drain takes about a second and differs from the next by up to a third. So there are many pairs, the two of a pair
change places from pair to pair, and the medians are compared.
"""

from contextlib import ExitStack
from statistics import median

from sqlalchemy import text

from benchmarks.support.bench import Bench, say
from benchmarks.support.contestant import AFTERWORK
from benchmarks.support.place import Kind, Place, add_customers, fresh_place
from benchmarks.support.table import Row, rate

WITHIN = 0.10
COLUMNS = "(view_model, root_id, done, delete_time, attempts)"
TICKET = "'Customer.assign_number', 'Customer!' || n"
LYING = {
    "PostgreSQL": f"INSERT INTO sys_async_ticket {COLUMNS} SELECT {TICKET}, now(), now() + interval '1 year', 1"
    " FROM generate_series(1, :count) AS s(n)",
    "SQLite": f"INSERT INTO sys_async_ticket {COLUMNS} WITH RECURSIVE s(n) AS"
    " (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)"
    f" SELECT {TICKET}, datetime('now'), datetime('now', '+1 year'), 1 FROM s",
}


def rows(bench: Bench, kind: Kind) -> list[Row]:
    """Yield the row: two databases, one with ended tickets and one without, drained alternately."""
    found: dict[int, list[float]] = {0: [], bench.sizes.ended: []}
    with ExitStack() as stack:
        places = {}
        for ended in found:
            places[ended] = stack.enter_context(fresh_place(kind, bench.server, 0))
            prepare(places[ended], ended)
        for turn in range(bench.sizes.ended_runs):
            for ended in sorted(found, reverse=turn % 2 == 1):
                found[ended].append(drain(places[ended], bench.sizes.drain))
                say(f"drain with {ended:,} ended tickets, {kind}: {rate(found[ended][-1])}")
    without, with_them = (median(rates) for rates in found.values())
    ratio = with_them / without
    what = f"drain with {bench.sizes.ended:,} ended tickets, {kind}"
    return [Row(what, rate(with_them), f"with none: {rate(without)}", f"{ratio:.2f} ×", "0.90 ×", ratio >= 1 - WITHIN)]


def prepare(place: Place, ended: int) -> None:
    AFTERWORK[place.kind].run(place, "setup")
    if ended:
        with place.engine.begin() as connection:
            connection.execute(text(LYING[place.kind]), {"count": ended})


def drain(place: Place, count: int) -> float:
    """Return the jobs per second of a drain, without leftovers of the one before."""
    with place.engine.begin() as connection:
        connection.execute(text("DELETE FROM sys_async_ticket WHERE delete_time < :soon"), {"soon": soon(place)})
        connection.execute(text("DELETE FROM customer"))
        connection.execute(text("UPDATE number_series SET last = 0"))
        add_customers(connection, count)
    contestant = AFTERWORK[place.kind]
    contestant.run(place, "enqueue", count)
    place.settle()
    with contestant.working(place) as worker:
        worker.wait_for(place, count)
        place.check(count)
        return count / float(worker.report()["seconds"])


def soon(place: Place) -> object:
    """Return a time by which the receipts of a drain, but not the prepared tickets, will have been deleted."""
    query = "SELECT now() + interval '1 day'" if place.kind == "PostgreSQL" else "SELECT datetime('now', '+1 day')"
    with place.engine.connect() as connection:
        found: object = connection.execute(text(query)).scalar_one()
        return found

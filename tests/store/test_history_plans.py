"""What reading and writing history costs: as much with a week of it as with an hour."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, Engine, insert, text

from afterwork.store import history, periods
from afterwork.store.history import Cell, HistoryKey, Sums
from afterwork.store.tables import hour, minute, run
from tests.conftest import Shop
from tests.store.plan_scene import effort

HOUR = timedelta(hours=1)

LOOKS: dict[str, Callable[[Connection, Shop], object]] = {
    "minutes": lambda connection, shop: history.since_minute(connection, shop.clock.now() - HOUR, None),
    "of an hour": lambda connection, shop: periods.MINUTES.totals(
        connection, shop.clock.now() - HOUR, [], ["work"], 100
    ),
    "of a work's hour": lambda connection, shop: periods.HOURS.histograms(
        connection, shop.clock.now() - HOUR, [hour.c.work == "Work.1"]
    ),
    "of hours": lambda connection, shop: periods.HOURS.totals(
        connection, shop.clock.now() - HOUR, [], ["at", "source"], 100
    ),
    "failures": lambda connection, shop: history.records(
        connection, {"outcome": "failed"}, shop.clock.now() - HOUR, None, 20
    ),
    "newest": lambda connection, shop: history.records(connection, {}, None, None, 20),
    "page": lambda connection, shop: history.records(connection, {}, None, 30, 20),
    "of a work": lambda connection, shop: history.records(connection, {"work": "Work.1"}, None, None, 20),
    "failed of a work": lambda connection, shop: history.records(
        connection, {"work": "Work.1", "outcome": "failed"}, None, None, 20
    ),
    "of a ticket": lambda connection, shop: history.records(connection, {"ticket": "3"}, None, None, 20),
    "of a root": lambda connection, shop: history.records(connection, {"root_id": "Customer!3"}, None, None, 20),
}


def fill(the_shop: Shop, hours: range) -> None:
    """So many hours before now, of ten works, a failure each minute."""
    now = the_shop.clock.now()
    moments = [now - timedelta(hours=hour, minutes=number) for hour in hours for number in range(60)]
    sums = Sums(done=1).values
    minutes = [
        {"minute": moment.replace(second=0, microsecond=0), "server": 1, "work": f"Work.{work}", "source": "ticket"}
        | sums
        for moment in moments
        for work in range(10)
    ]
    hours_of_works = [
        {"hour": now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=number), "server": server}
        | {"work": f"Work.{work}", "source": "ticket"}
        | sums
        for number in hours
        for work in range(10)
        for server in range(3)
    ]
    runs = [
        {"run": str(number), "ticket": str(number), "work": f"Work.{number % 10}", "source": "ticket"}
        | {"root_id": f"Customer!{number}", "server": 1, "ended": moment, "seconds": 1, "attempt": 1}
        | {"outcome": "failed" if number % 3 else "put off"}
        for number, moment in enumerate(moments * 3)
    ]
    with the_shop.engine.begin() as connection:
        connection.execute(insert(minute), minutes)
        connection.execute(insert(hour), hours_of_works)
        connection.execute(insert(run), runs)
    analyze(the_shop.engine)


def analyze(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ANALYZE"))


def cost_of(the_shop: Shop, look: Callable[[Connection, Shop], object]) -> int:
    with the_shop.engine.begin() as connection:
        look(connection, the_shop)
        return effort(connection, lambda: look(connection, the_shop))


def test_looks_cost_the_same_however_much_history_there_is(the_shop: Shop) -> None:
    efforts: list[dict[str, int]] = []
    for hours in (range(3), range(3, 60)):
        fill(the_shop, hours)
        efforts.append({name: cost_of(the_shop, look) for name, look in LOOKS.items()})

    few, many = efforts
    assert {name: cost for name, cost in many.items() if cost > 2 * few[name] + 60} == {}


def test_writing_a_minute_costs_the_same_however_much_history_there_is(the_shop: Shop) -> None:
    """The statement that reads what is written of it is the only one that looks for anything."""
    fill(the_shop, range(3))
    cell = Cell(the_shop.clock.now().replace(second=0, microsecond=0), HistoryKey("Work.1", "ticket"))

    def cost() -> int:
        with the_shop.engine.begin() as connection:
            return effort(connection, lambda: history._grown(connection, 1, {cell: Sums(done=2)}))

    cost()
    few = cost()
    fill(the_shop, range(3, 60))
    cost()

    assert cost() < 2 * few + 60

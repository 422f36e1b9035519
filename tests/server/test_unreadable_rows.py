"""A row that the driver can't read, or that says what can't be, is the trouble of that one ticket."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import Failed
from afterwork.insight import TicketFilter
from afterwork.store.tickets.filter import WANTED
from tests.support.kinds import Base, Thing
from tests.support.world import World

ALWAYS = {"postgresql": ["-infinity", "0044-03-15 00:00:00+00 BC"], "sqlite": ["0001-01-01 00:00:00"]}
NEVER = {
    "postgresql": ["infinity", "12000-01-01 00:00:00+00"],
    "sqlite": [
        "9999-12-31 23:59:59.999999", "2996-02-29", "2400-02-29 10:00", "2999-01-01T10:00:00Z",
        "2999-01-01 10:00:00+02:00", "2999-01-01 10:00:00.5", "2999-01-01",
    ],
}  # fmt: skip
NOTHING: dict[str, list[Any]] = {
    "postgresql": [],
    "sqlite": [
        "tomorrow", "now", "", "12:30", "2026-13-45 10:00:00", "2026-02-30", "2026-04-31 10:00:00",
        "2026-01-01 25:00:00", "2026-01-01 nonsense", 1700000000, 2460000.5, b"\xff", "-4712-01-01",
        "10000-01-01 00:00:00", "2027-02-29", "2999-02-29 10:00:00", "2900-02-29", "2025-02-29 10:00:00",
        "2026-01-01 10:00 nonsense", "2026-01-01 10:00:00x", "2999-01-01 10:00:00.5.5", "2999-01-01 10:00:00+2",
        "2999-01-01 10:00:77",
    ],
}  # fmt: skip
"""What can stand in ExecuteEarliest: moments long ago, moments that never come, and what is no moment."""


@pytest.fixture
def world(engine: Engine) -> World:
    made = World(engine, Base)
    with made.session() as session, session.begin():
        session.add(Thing(id=1))
    return made


def insert(world: World, **values: Any) -> None:
    """Add a ticket as another program would."""
    row = {"view_model": "Thing.work", "root_id": "Thing!1", **values}
    columns, marks = ", ".join(row), ", ".join(f":{name}" for name in row)
    with world.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO sys_async_ticket ({columns}) VALUES ({marks})"), row)


def tickets(world: World) -> list[tuple[bool, str | None]]:
    """By key, whether each ticket has ended, and its Error."""
    with world.engine.connect() as connection:
        rows = connection.execute(text("SELECT done IS NOT NULL, error FROM sys_async_ticket ORDER BY id"))
        return [(bool(done), error) for done, error in rows]


GOOD = (True, None)
PENDING = (False, None)


def test_each_ticket_is_due_when_it_says_and_holds_up_no_other(world: World) -> None:
    """Due are those whose moment has passed. What says no moment ends with an Error, wherever it stands in its lane."""
    kind = world.engine.dialect.name
    insert(world, execute_earliest="2999-01-01 00:00:00")
    moments = [(ALWAYS, GOOD), (NEVER, PENDING), (NOTHING, "no moment")]
    expected = [PENDING, *(outcome for found, outcome in moments for _ in found[kind]), GOOD]
    for found, _ in moments:
        for moment in found[kind]:
            insert(world, execute_earliest=moment)
    insert(world)

    world.run()

    for outcome, wanted in zip(tickets(world), expected, strict=True):
        if wanted == "no moment":
            assert outcome[0]
            assert "It must be a timestamp" in str(outcome[1])
        else:
            assert outcome == wanted
    looked_at(world)


def looked_at(world: World) -> None:
    """All that lists tickets can be asked."""
    insight = world.app.insight(world.engine)
    page = insight.tickets(TicketFilter())
    for state in (None, *WANTED):
        insight.tickets(TicketFilter(state=state))
    for ticket in page.tickets:
        insight.ticket(ticket.key)
    insight.status()
    insight.gauges()


@pytest.mark.parametrize("column", ["created", "done", "delete_time"])
@pytest.mark.parametrize("moment", ["infinity", "-infinity"])
def test_moments_that_say_nothing_of_when_a_ticket_is_due_hold_up_none(world: World, column: str, moment: str) -> None:
    if world.engine.dialect.name == "sqlite":
        moment = "tomorrow" if moment == "infinity" else "12:30"
    insert(world, **{column: moment})
    insert(world)
    world.run()
    assert [done for done, _ in tickets(world)][-1:] == [True]
    assert {error for _, error in tickets(world)} == {None}
    looked_at(world)
    world.clock.advance(timedelta(days=1))
    world.run()


def test_a_ticket_that_can_t_be_read_is_none_to_join(world: World) -> None:
    insert(world, execute_earliest="infinity" if world.engine.dialect.name == "postgresql" else "tomorrow")
    with Session(world.engine) as session, session.begin():
        aw.later(session.get_one(Thing, 1).work, unique=True)
    with Session(world.engine) as session, session.begin():
        aw.later(session.get_one(Thing, 1).work, unique=True)
    assert len(tickets(world)) == 2
    world.run()
    assert tickets(world)[1] == GOOD


@pytest.mark.parametrize("column", ["view_model", "root_id", "lane", "error"])
def test_a_text_that_is_none_harms_no_other_ticket(world: World, column: str) -> None:
    if world.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps no such text")
    insert(world, **{column: "x"})
    with world.engine.begin() as connection:
        connection.execute(text(f"UPDATE sys_async_ticket SET {column} = CAST(x'ff' AS TEXT)"))
    insert(world)
    world.run()
    with world.engine.connect() as connection:
        assert connection.execute(
            text("SELECT count(*) FROM sys_async_ticket WHERE done IS NOT NULL AND id = 2")
        ).scalar()
    looked_at(world)


@pytest.mark.parametrize("most", [1, 2, 300])
def test_a_lane_or_key_that_is_no_text_ends_its_ticket_and_stops_nobody(engine: Engine, most: int) -> None:
    if engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps no such text")

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base):
        id: Mapped[str] = mapped_column(Text, primary_key=True)  # type: ignore[assignment]
        __table_args__ = ()

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def work(self) -> None: ...

    world = World(engine, Base, settings=aw.Settings(batch=most))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO thing (id) VALUES (1)"))
        for key, lane in [("CAST(x'ff' AS TEXT)", "NULL"), ("CAST(x'61ff' AS TEXT)", "NULL"), ("'b'", "NULL"),
                          ("'c'", "CAST(x'ff' AS TEXT)"), ("'d'", "CAST(x'ff' AS TEXT)"), ("'e'", "'other'"),
                          ("CAST(x'63ff' AS TEXT)", "CAST(x'62ff' AS TEXT)")]:  # fmt: skip
            row = f"({key}, {lane}, 'Thing.work', 'Thing!1', 10, 0, CURRENT_TIMESTAMP)"
            columns = "(id, lane, view_model, root_id, keep_receipt_minutes, attempts, created)"
            connection.execute(text(f"INSERT INTO sys_async_ticket {columns} VALUES {row}"))
    world.run()
    world.run()
    with engine.connect() as connection:
        found = connection.execute(text("SELECT done IS NOT NULL, error FROM sys_async_ticket ORDER BY rowid")).all()
    assert [done for done, _ in found] == [1] * 7
    assert ["no UTF-8" in str(error) for _, error in found] == [True, True, False, True, True, False, True]
    _is_told(world, [error for _, error in found if error is not None])


def _is_told(world: World, errors: list[str]) -> None:
    """Such an end is seen wherever failures are: as an event, in history, and by `check`."""
    told = [event for event in world.seen if isinstance(event, Failed)]
    assert sorted(event.error for event in told) == sorted(errors)
    assert {(event.work, event.root_id) for event in told} == {("Thing.work", "Thing!1")}
    insight = world.app.insight(world.engine)
    assert sum(total.sums.failed for total in insight.totals()) == len(errors)
    (finding,) = [total for total in insight.check() if "no UTF-8" in total.what]
    assert finding.what.startswith(f"{len(errors)} tickets")
    assert finding.is_note


@pytest.mark.parametrize("column", ["priority", "attempts", "keep_receipt_minutes"])
@pytest.mark.parametrize("value", ["high", 1.5, b"\xff"])
def test_what_is_no_number_harms_no_other_ticket(world: World, column: str, value: object) -> None:
    if world.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps numbers only")
    insert(world, **{column: value})
    insert(world)
    world.run()
    assert [done for done, _ in tickets(world)] == [True, True]
    looked_at(world)


@pytest.mark.parametrize("moment", ["infinity", "-infinity"])
@pytest.mark.parametrize("column", ["due", "set_at", "last_due"])
def test_a_timer_whose_moments_are_odd_holds_up_nothing(world: World, column: str, moment: str) -> None:
    world.run()
    if world.engine.dialect.name == "sqlite":
        moment = "tomorrow" if moment == "infinity" else "12:30"
    with world.engine.begin() as connection:
        connection.execute(text(f"UPDATE afterwork_timer SET {column} = :moment"), {"moment": moment})
    insert(world)
    world.run()
    assert tickets(world) == [GOOD]
    world.app.insight(world.engine).timers()

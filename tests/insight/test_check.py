"""`check` on both databases: each thing that it finds is made, found, mended, and gone."""

from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import Engine, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.insight import CheckLimits, Finding
from afterwork.server.presence import Presence
from afterwork.store.dialects import database_of
from afterwork.store.tables import server as servers
from tests.conftest import Shop, Trade
from tests.support.trade import Customer, Order
from tests.support.world import World, statements


def told(scene: Shop | Trade, limits: CheckLimits | None = None) -> list[str]:
    """What is not right, notes included."""
    return [one.what for one in wrong(scene, limits)]


def wrong(scene: Shop | Trade, limits: CheckLimits | None = None) -> Iterator[Finding]:
    found = scene.app.insight(scene.engine).check(limits or CheckLimits())
    return (one for one in found if not one.right)


def named(scene: Shop | Trade, words: str, limits: CheckLimits | None = None) -> Finding | None:
    """The finding that is not right and has these words."""
    findings = [finding for finding in wrong(scene, limits) if words in finding.what]
    assert len(findings) <= 1, findings
    return findings[0] if findings else None


def test_every_finding_has_a_topic_and_what_is_right_needs_no_advice(the_trade: Trade) -> None:
    found = the_trade.app.insight(the_trade.engine).check()

    assert {"tables", "database", "capture", "indexes", "servers", "journal"} <= {one.topic for one in found}
    assert all(one.topic and bool(one.advice) != one.right for one in found)
    assert [one.what for one in found if one.is_fault] == []


def test_looking_writes_nothing(the_trade: Trade) -> None:
    with statements(the_trade.engine) as sent:
        the_trade.app.insight(the_trade.engine).check()

    assert len(sent) > 20
    assert [one for one in sent if not one.lstrip().startswith(("SELECT", "PRAGMA", "SHOW", "WITH"))] == []


def test_an_index_of_its_own_that_is_missing_is_told_and_made_again(the_trade: Trade) -> None:
    the_trade.sql("DROP INDEX afterwork_due_next")

    found = named(the_trade, "indexes on Afterwork's tables")

    assert found is not None
    assert found.is_fault
    assert "afterwork_due_next" in found.advice
    assert the_trade.app.install(the_trade.engine) == ["index afterwork_due_next created"]
    assert named(the_trade, "indexes on") is None


def test_columns_that_caches_ask_by_want_an_index_once_the_table_is_large(the_trade: Trade) -> None:
    with the_trade.session() as session, session.begin():
        session.add(Customer(id=1, name="Ann", orders=[Order(), Order()]))
    the_trade.run()
    asks = "orders is queried by customer_id, and no index begins with that"

    assert asks not in told(the_trade)
    found = named(the_trade, asks, CheckLimits(small_table=2))
    assert found is not None
    assert found.is_note
    assert found.advice == (
        "Each query scans all rows. CREATE INDEX ON orders (customer_id) may help "
        "Customer.overdue, Customer.share, Customer.total."
    )

    the_trade.sql("CREATE INDEX orders_customer ON orders (customer_id)")
    assert asks not in told(the_trade, CheckLimits(small_table=2))


def test_a_server_whose_clock_is_ahead_is_told(the_shop: Shop) -> None:
    arrive(the_shop, seen=timedelta(minutes=1))

    found = named(the_shop, "its clock is")
    assert found is not None
    assert "NTP" in found.advice

    arrive(the_shop, seen=timedelta(0))
    assert named(the_shop, "its clock is") is None


def test_a_server_that_is_there_and_seems_to_be_silent_is_told(the_shop: Shop) -> None:
    arrive(the_shop, seen=-timedelta(minutes=10))
    assert named(the_shop, "its last sign of life was 60") is not None  # seconds, and some more on a slow machine

    arrive(the_shop, seen=timedelta(0))
    assert named(the_shop, "its last sign of life") is None


def test_changes_that_nobody_takes_are_told_by_number_and_by_age(the_trade: Trade) -> None:
    the_trade.run()
    with the_trade.engine.begin() as connection:
        connection.execute(insert(Customer), [{"name": f"C{n}"} for n in range(3)])

    assert "changes that wait" not in " ".join(told(the_trade))
    assert named(the_trade, "changes that wait to be matched: more than 2", CheckLimits(waiting_changes=2)) is not None
    the_trade.clock.advance(timedelta(minutes=20))
    assert named(the_trade, "changes that wait to be matched: 3, the first for 20 minutes") is not None

    the_trade.run()
    assert "changes that wait" not in " ".join(told(the_trade, CheckLimits(waiting_changes=2)))


def arrive(shop: Shop, seen: timedelta) -> None:
    """A server of this process is there, and was seen some time after now, by its own clock."""
    with shop.engine.begin() as connection:
        connection.execute(servers.delete())
    database = database_of(shop.engine, shop.settings)
    connection = database.connect()
    Presence.enter(connection, database, shop.clock, shop.app.events)
    connection.close()
    with shop.engine.begin() as other:
        other.execute(update(servers).values(seen=shop.clock.now() + seen))


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    sent: Mapped[bool] = mapped_column(default=False)


class Send(aw.ViewModel, root=Parcel):
    when = aw.Every(minutes=10, criteria=select(Parcel).where(Parcel.sent.is_(False)))

    @aw.action
    def send(self) -> None:
        self.root.sent = True


def test_columns_that_criteria_pick_by_want_an_index_too_and_a_limited_one_will_do(engine: Engine) -> None:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        session.add_all([Parcel(), Parcel()])

    def told() -> list[str]:
        found = world.app.insight(engine).check(CheckLimits(small_table=2))
        return [one.what for one in found if one.topic == "indexes" and not one.right]

    assert told() == ["parcel is queried by sent, and no index begins with that"]
    with engine.begin() as connection:
        connection.execute(text("CREATE INDEX parcel_unsent ON parcel (id) WHERE NOT sent"))
    assert told() == []

"""What comes between the steps of a server that keeps caches fresh: other connections, other servers, other models."""

import time
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, Integer, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.clock import SystemClock
from afterwork.events import Event, Events, Reached
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.server.presence import Presence
from afterwork.store.caches.manifests import digest, is_of_sql
from tests.conftest import Trade
from tests.derived.deep import Customer, Deep, Line, Order
from tests.derived.interleaved import Interleaved, sql, value
from tests.derived.long_running import refresher, worker_of
from tests.support import trade
from tests.support.death import Death
from tests.support.prepared import installed

CLAIMING = aw.Settings(at_once=timedelta(0))
"""With this, also what is quick is claimed first, and calculated beside all others."""


class Timed(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Timed): ...


class Task(Timed):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime)
    name: Mapped[str] = mapped_column(default="")
    late: Mapped[bool] = mapped_column(default=False)


class Warning_(aw.ViewModel[Task]):
    when = aw.WhenStale()

    @aw.action
    def warn(self) -> None:
        late = aw.passed(self.root.due)
        self.root.late = late and self.root.name != "never"


class SpinsError(Death): ...


def test_a_view_model_that_ran_because_its_moment_has_come_does_not_run_again(engine: Engine) -> None:
    clock = aw.ManualClock()
    count = 0

    def listen(event: Event) -> None:
        nonlocal count
        count += isinstance(event, Reached) and event.point == "claimed"
        if count > 10:
            raise SpinsError

    app = installed(engine, Timed, clock=clock, on_event=listen)
    with Session(engine) as session, session.begin():
        session.add(Task(id=1, due=clock.now() + timedelta(minutes=1)))
    app.run_until_idle(engine)
    clock.advance(timedelta(minutes=2))
    assert len(app.run_until_idle(engine)) == 1
    with Session(engine) as session:
        assert session.get_one(Task, 1).late


def test_a_moment_is_not_lost_when_a_mark_comes_between_a_view_model_and_its_check(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("a run and its check are one transaction on SQLite")
    between = Interleaved()
    clock = aw.ManualClock()
    app = installed(engine, Timed, clock=clock, on_event=between)
    with Session(engine) as session, session.begin():
        session.add(Task(id=1, due=clock.now() + timedelta(minutes=1)))
    # As another server does, for a change that this run has seen already.
    mark = "UPDATE afterwork_due SET since = '2020-01-01', due = '2020-01-01'"
    between.todo["after commit", "Warning_"] = lambda: sql(engine, mark)
    app.run_until_idle(engine)
    assert not between.todo
    clock.advance(timedelta(minutes=2))
    app.run_until_idle(engine)
    assert value(engine, "SELECT late FROM task") is True


def test_a_new_row_between_the_claim_and_a_calculation_in_sql_is_not_missed(engine: Engine) -> None:
    between = Interleaved()
    app = installed(engine, Deep, clock=aw.ManualClock(), on_event=between, settings=CLAIMING)
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, orders=[Order(id=1, lines=[Line(id=1), Line(id=2)])]))
    app.run_until_idle(engine)

    def add() -> None:
        with Session(engine) as session, session.begin():
            session.add(Order(id=2, customer_id=1, lines=[Line(id=3)]))

    between.todo["claimed", "Customer.total"] = add
    sql(engine, "UPDATE line SET quantity = 2 WHERE id = 1")
    app.run_until_idle(engine)
    assert not between.todo
    sql(engine, "UPDATE line SET quantity = 10 WHERE id = 3")
    app.run_until_idle(engine)
    assert value(engine, "SELECT total FROM customer WHERE id = 1") == 13


def test_what_another_server_takes_between_the_claim_and_a_calculation_in_sql_is_not_missed(engine: Engine) -> None:
    between = Interleaved()
    app = installed(engine, Deep, clock=aw.ManualClock(), on_event=between, settings=CLAIMING)
    other = aw.Afterwork(Deep, clock=aw.ManualClock())
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, orders=[Order(id=1, lines=[Line(id=1), Line(id=2)])]))
    app.run_until_idle(engine)

    def add() -> None:
        with Session(engine) as session, session.begin():
            session.add(Order(id=2, customer_id=1, lines=[Line(id=3)]))
        other.run_until_idle(engine)

    between.todo["claimed", "Customer.total"] = add
    sql(engine, "UPDATE line SET quantity = 2 WHERE id = 1")
    app.run_until_idle(engine)
    assert not between.todo
    sql(engine, "UPDATE line SET quantity = 10 WHERE id = 3")
    app.run_until_idle(engine)
    assert value(engine, "SELECT total FROM customer WHERE id = 1") == 13


def test_a_truncate_is_not_missed_by_a_server_that_has_learned_nothing_itself(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    app = installed(engine, Deep, clock=aw.ManualClock())
    early, connection = refresher(app, engine)
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, orders=[Order(id=1, lines=[Line(id=1), Line(id=2)])]))
    app.run_until_idle(engine)
    assert value(engine, "SELECT total FROM customer WHERE id = 1") == 2
    sql(engine, "TRUNCATE line")
    list(early.work(connection, worker_of(early)))
    connection.close()
    assert value(engine, "SELECT total FROM customer WHERE id = 1") == 0


def test_a_shape_whose_number_is_committed_late_is_learned_by_all_servers(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    app = installed(engine, Deep, clock=aw.ManualClock())
    app.run_until_idle(engine)
    early, connection = refresher(app, engine)
    patterns = early.matcher.patterns
    with engine.connect() as late, engine.connect() as quick:
        insert = "INSERT INTO afterwork_read_pattern (table_id, equal, columns) VALUES (1, NULL, {}) RETURNING id"
        number = late.execute(text(insert.format(5))).scalar_one()
        quick.execute(text(insert.format(6)))
        quick.commit()
        patterns.load(connection)
        late.commit()
        patterns.load(connection)
    assert patterns.pattern(number)
    connection.close()


KEPT: list[type] = []
"""Classes that only the model refers to, weakly."""


def small_model(*names: str) -> Any:
    """A model whose class Thing has a derived member of each name, each a copy of `amount`."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    def member(name: str) -> dict[str, Any]:
        column = mapped_column(Integer, default=0)

        def compute(self: Any) -> Any:
            return self.amount

        return {name: column, f"compute_{name}": aw.derived(column)(compute)}

    members: dict[str, Any] = {"__tablename__": "thing", "id": mapped_column(Integer, primary_key=True)}
    members["amount"] = mapped_column(Integer, default=1)
    for name in ("one", "other"):
        members |= member(name) if name in names else {name: mapped_column(Integer, default=0)}
    KEPT.extend([SysAsyncTicket, type("Thing", (Base,), members)])
    return Base


def test_a_cache_that_has_gone_from_the_model_while_it_was_filled_holds_up_no_other(engine: Engine) -> None:
    first, second = small_model("one"), small_model("other")
    first.metadata.create_all(engine)
    sql(engine, "INSERT INTO thing (id, amount, one, other) VALUES (1, 7, 0, 0)")
    app = aw.Afterwork(first, clock=aw.ManualClock())
    app.install(engine)
    old, connection = refresher(app, engine)
    old.backfill.step(connection, next(iter(old.matcher.registry)), app.clock.now(), old.refresher.fill)
    connection.close()
    new = aw.Afterwork(second, clock=app.clock)
    new.install(engine)
    new.run_until_idle(engine)
    assert value(engine, "SELECT other FROM thing") == 7
    now, connection = refresher(new, engine)
    assert now.due(connection, app.clock.now()).next_due is None
    connection.close()


def test_servers_with_other_models_miss_nothing_for_each_other(engine: Engine) -> None:
    first, second = small_model("one"), small_model("one", "other")
    first.metadata.create_all(engine)
    sql(engine, "INSERT INTO thing (id, amount, one, other) VALUES (1, 7, 0, 0)")
    old, new = (aw.Afterwork(base, clock=aw.ManualClock()) for base in (first, second))
    new.install(engine)
    new.run_until_idle(engine)
    sql(engine, "UPDATE thing SET amount = 8")
    old.run_until_idle(engine)
    new.run_until_idle(engine)
    assert value(engine, "SELECT other FROM thing") == 8
    sql(engine, "INSERT INTO thing (id, amount, one, other) VALUES (2, 9, 0, 0)")
    old.run_until_idle(engine)
    new.run_until_idle(engine)
    assert value(engine, "SELECT other FROM thing WHERE id = 2") == 9


def test_an_object_that_is_replaced_while_its_value_is_calculated_gets_its_value(engine: Engine) -> None:
    between = Interleaved()
    app = installed(engine, Deep, clock=aw.ManualClock(), on_event=between, settings=CLAIMING)
    other = aw.Afterwork(Deep, clock=aw.ManualClock())
    with Session(engine) as session, session.begin():
        session.add(Customer(id=1, vip=3))
    app.run_until_idle(engine)

    def replace() -> None:
        with engine.begin() as connection:
            connection.execute(text("DELETE FROM customer"))
            connection.execute(text("INSERT INTO customer (id, vip, total) VALUES (1, 3, 0)"))
        other.run_until_idle(engine)

    with Session(engine) as session, session.begin():
        session.add(Order(id=2, customer_id=1))
        session.flush()
        session.execute(text("DELETE FROM orders"))
    between.todo["ran", "Customer.total"] = replace
    app.run_until_idle(engine)
    assert not between.todo
    assert value(engine, "SELECT total FROM customer") == 3


def test_a_database_whose_default_is_another_isolation_is_no_danger(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("only PostgreSQL has levels")
    app = installed(engine, Deep, clock=aw.ManualClock())
    sql(engine, f"ALTER DATABASE {engine.url.database} SET default_transaction_isolation = 'serializable'")
    engine.dispose()
    found, connection = refresher(app, engine)
    with found.matcher.database.transaction(connection, found.matcher.entries.to_take):
        assert connection.execute(text("SHOW transaction_isolation")).scalar() == "read committed"
    connection.close()


def test_changes_are_taken_in_their_order_wherever_they_lie_on_the_disk(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("afterwork.store.journal.entries.MAX_ENTRIES_PER_TAKE", 1)
    app = installed(engine, Deep, clock=aw.ManualClock())
    sql(engine, "INSERT INTO customer (id, vip, total) VALUES (1, 3, 0)")
    app.run_until_idle(engine)
    for statement in ("DELETE FROM customer", "INSERT INTO customer (id, vip, total) VALUES (1, 4, 0)"):
        sql(engine, statement)
    if engine.dialect.name == "postgresql":  # the one that came first now lies behind the other one
        sql(
            engine,
            "UPDATE afterwork_journal SET table_id = table_id WHERE id = (SELECT min(id) FROM afterwork_journal)",
        )
    app.run_until_idle(engine)
    assert value(engine, "SELECT total FROM customer") == 4


def test_a_value_whose_row_a_user_has_locked_holds_up_no_other(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no locks of rows")
    clock = aw.ManualClock()
    app = installed(engine, Deep, clock=clock)
    sql(engine, "INSERT INTO customer (id, vip, total) VALUES (1, 3, 3), (2, 3, 3)")
    app.run_until_idle(engine)
    with engine.connect() as user:
        user.execute(text("UPDATE customer SET vip = 4 WHERE id = 1"))
        user.commit()
        user.execute(text("SELECT 1 FROM customer WHERE id = 1 FOR UPDATE"))
        began = time.monotonic()
        app.run_until_idle(engine)
        assert time.monotonic() - began < 1
    clock.advance(timedelta(seconds=1))
    app.run_until_idle(engine)
    assert value(engine, "SELECT total FROM customer WHERE id = 1") == 4


def test_a_claim_that_has_just_been_made_is_not_taken_for_forgotten(the_trade: Trade) -> None:
    source, connection = refresher(the_trade.app, the_trade.engine)
    with the_trade.session() as session, session.begin():
        session.add(trade.Customer(id=1, name="Ann"))
    active: set[str] = set()
    met: list[bool] = []

    def claims(claim: str, begun: bool) -> None:
        if begun:
            with the_trade.engine.connect() as other:
                met.append(
                    other.execute(text("SELECT 1 FROM afterwork_due WHERE claim = :c"), {"c": claim}).first() is None
                )
        (active.add if begun else active.discard)(claim)

    list(source.work(connection, worker_of(source, claims)))
    connection.close()
    assert met
    assert all(met)
    assert not active


def test_what_the_python_side_read_is_not_kept_for_the_sql_side(engine: Engine) -> None:
    assert not is_of_sql(digest({1, 2}))
    assert is_of_sql(digest({1, 2}, in_sql=True))
    assert not is_of_sql(None)


def test_a_server_that_was_taken_for_dead_is_one_of_the_living_again(the_trade: Trade) -> None:
    database = the_trade.app.database(the_trade.engine)
    connection = database.connect()
    presence = Presence.enter(connection, database, SystemClock(), Events())
    the_trade.sql("DELETE FROM afterwork_server")
    presence.show_life(connection)
    assert the_trade.value("SELECT id FROM afterwork_server") == presence.id
    connection.close()

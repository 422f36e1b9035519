"""Values that are right when the transaction commits that changes what they are made of."""

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, func, literal, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadDeclaration, NotAtCommit
from tests.inversion.till import Base, Customer, Order, Till
from tests.support.world import everything

ON_SQLITE = pytest.mark.parametrize("url", ["sqlite"], indirect=True)
ON_POSTGRESQL = pytest.mark.parametrize("url", ["postgresql"], indirect=True)


WRITES = {
    "a row changes": "UPDATE line SET amount = 5 WHERE id = 1",
    "many change": "UPDATE line SET amount = amount + id",
    "one comes": "INSERT INTO line (id, order_id, amount) VALUES (99, 1, 7)",
    "one goes": "DELETE FROM line WHERE id = 1",
    "all go": "DELETE FROM line",
    "one moves": "UPDATE line SET order_id = 3 WHERE id = 1",
    "a row on the way moves": "UPDATE orders SET customer_id = 2 WHERE id = 1",
    "a row on the way goes": "DELETE FROM orders WHERE id = 1",
    "a key changes": "UPDATE orders SET id = 77 WHERE id = 1",
    "an object comes after its rows": "INSERT INTO customer (id) VALUES (3)",
    "a value is overwritten": "UPDATE customer SET total = 999, orders = 7",
    "one on the way is overwritten": "UPDATE orders SET total = 999",
    "an upsert": "INSERT INTO line (id, order_id, amount) VALUES (1, 4, 50)"
    " ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, order_id = excluded.order_id",
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_values_are_right_after_each_commit_without_a_server(till: Till, write: str) -> None:
    till.sql("UPDATE orders SET customer_id = 3 WHERE id = 4")
    assert till.wrong == []

    till.sql(write)

    assert till.wrong == []
    assert till.noted == 0


@ON_SQLITE
def test_what_replaces_other_rows_leaves_their_objects_right(till: Till) -> None:
    till.sql("INSERT OR REPLACE INTO line (id, order_id, amount) VALUES (1, 4, 50)")

    assert till.wrong == []
    assert till.noted == 0


@ON_POSTGRESQL
def test_truncating_a_table_leaves_all_values_right(till: Till) -> None:
    till.sql("TRUNCATE line")

    assert till.totals == {1: 0, 2: 0}
    assert till.noted == 0


def test_values_are_computed_once_for_a_transaction(till: Till) -> None:
    till.sql(
        *[f"UPDATE line SET amount = {amount} WHERE id = 1" for amount in range(20)], "UPDATE line SET order_id = 3"
    )

    assert till.wrong == []


def test_a_transaction_that_rolls_back_leaves_nothing(till: Till) -> None:
    with till.engine.connect() as connection:
        connection.execute(text("UPDATE line SET amount = 50"))
        connection.rollback()

    assert till.totals == {1: 6, 2: 6}
    assert till.noted == 0


def test_a_transaction_can_read_what_its_own_writes_make(till: Till) -> None:
    with till.engine.begin() as connection:
        connection.execute(text("UPDATE line SET amount = 50 WHERE id = 1"))
        if till.engine.dialect.name == "postgresql":
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        assert connection.execute(text("SELECT total FROM customer WHERE id = 1")).scalar() == 55
        connection.execute(text("UPDATE line SET amount = 60 WHERE id = 1"))
        assert connection.execute(text("SELECT total FROM customer WHERE id = 1")).scalar() == 65

    assert till.wrong == []
    assert till.noted == 0


def test_what_python_makes_of_them_is_made_again(till: Till) -> None:
    till.run()
    till.sql("UPDATE line SET amount = 50 WHERE id = 1")

    ran = till.run()

    assert ran == ["Customer.badge"]
    assert [customer.badge for customer in everything(till.engine, Customer)] == ["gold", "none"]


def test_servers_have_nothing_to_do_for_them(till: Till) -> None:
    till.run()
    till.sql("UPDATE line SET note = 'x'", "UPDATE line SET amount = 3 WHERE id = 1")

    assert till.run() == ["Customer.badge"]


def test_values_of_objects_that_are_there_before_the_installation_are_made_by_servers(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO customer (id) VALUES (1)"))
        connection.execute(text("INSERT INTO orders (id, customer_id) VALUES (1, 1), (2, 1)"))
        connection.execute(text("INSERT INTO line (id, order_id, amount) VALUES (1, 1, 5), (2, 2, 6)"))
    app = aw.Afterwork(Base)
    app.install(engine)

    app.run_until_idle(engine)

    (customer,) = everything(engine, Customer)
    assert (customer.total, customer.orders, customer.average, customer.badge) == (11, 2, Decimal("5.5"), "gold")


def test_a_value_that_fails_fails_no_writer_and_alone(till: Till) -> None:
    """Without orders, the average is a division by zero."""
    till.run()
    till.sql("DELETE FROM orders WHERE customer_id = 1", "UPDATE line SET amount = 9 WHERE order_id = 3")
    till.run()

    assert till.wrong == []
    with Session(till.engine) as session:
        first, second = (session.get_one(Customer, number) for number in (1, 2))
        assert second.average == Decimal("10.5")
        assert till.app.explain(second, "average").state == "fresh"
        if till.engine.dialect.name == "postgresql":
            assert "division by zero" in str(till.app.explain(first, "average").error)
        else:
            assert first.average is None


def in_threads(*functions: Callable[[], object]) -> None:
    errors: list[BaseException] = []

    def run(function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []


@ON_POSTGRESQL
def test_two_writers_for_one_object_leave_it_right_at_once(till: Till) -> None:
    for amount in range(15):
        lines = (1, 3)  # of two orders of one customer
        in_threads(
            *(
                lambda line=line: till.sql(f"UPDATE line SET amount = {amount} + {line} WHERE id = {line}")
                for line in lines
            )
        )
        assert till.wrong == []


@ON_POSTGRESQL
def test_writers_that_meet_crosswise_do_not_fail(till: Till) -> None:
    till.run()
    gate = threading.Barrier(2)

    def write(first: int, second: int) -> None:
        with till.engine.begin() as connection:
            connection.execute(text(f"UPDATE line SET amount = amount + 1 WHERE id = {first}"))
            gate.wait()
            connection.execute(text(f"UPDATE line SET amount = amount + 1 WHERE id = {second}"))

    in_threads(lambda: write(1, 5), lambda: write(6, 2))

    till.run()
    assert till.wrong == []


@ON_POSTGRESQL
@pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
def test_what_a_transaction_can_not_see_is_seen_by_a_server(till: Till, level: str) -> None:
    """An order comes while a line of it comes: neither transaction sees the other's row."""
    till.run()
    order, line = (till.engine.execution_options(isolation_level=level).connect() for _ in range(2))
    with order, line:
        order.execute(text("INSERT INTO orders (id, customer_id) VALUES (9, 1)"))
        order.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        line.execute(text("INSERT INTO line (id, order_id, amount) VALUES (90, 9, 40)"))
        line.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        line.commit()
        order.commit()

    till.run()

    assert till.wrong == []
    assert till.noted == 0


def test_leaving_it_out_leaves_the_values_to_servers(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.run()
    assert till.app.install(till.engine) == []
    for compute in (Customer.compute_total, Customer.compute_orders, Customer.compute_average, Order.compute_total):
        monkeypatch.setattr(compute, "is_at_commit", False)
    app = aw.Afterwork(Base)

    assert any("dropped" in line for line in app.install(till.engine))
    till.sql("UPDATE line SET amount = 50 WHERE id = 1")
    assert till.totals == {1: 6, 2: 6}
    app.run_until_idle(till.engine)

    assert till.wrong == []
    assert app.install(till.engine) == []


@pytest.mark.parametrize("again", [False, True])
def test_triggers_that_somebody_dropped_are_found_and_their_values_become_right(till: Till, again: bool) -> None:
    till.run()
    till.drop_triggers()
    till.sql("UPDATE line SET amount = 50 WHERE id = 1")
    assert till.totals == {1: 6, 2: 6}

    assert any("at commit" in finding.what for finding in till.app.insight(till.engine).check() if not finding.right)
    if again:
        till.app.install(till.engine)
        assert all(finding.right for finding in till.app.insight(till.engine).check() if finding.topic == "capture")
    for _ in range(2):  # what the first writes touches others, and is found at the next look
        till.run()
    assert till.wrong == []


@pytest.mark.parametrize("first", [True, False])
def test_who_copies_a_table_of_a_file_by_hand_must_drop_the_triggers_first(till: Till, first: bool) -> None:
    """SQLite refuses whatever fires a trigger that names a table which is gone, or renames another one meanwhile."""
    if till.engine.dialect.name == "postgresql":
        pytest.skip("it looks for tables when a trigger fires, and a trigger that fails fails no writer")
    till.run()
    if first:
        till.drop_triggers()
    copying = (
        "CREATE TABLE line_new (id INTEGER PRIMARY KEY, order_id INTEGER, amount INTEGER NOT NULL, note TEXT)",
        "INSERT INTO line_new SELECT id, order_id, amount + 1, note FROM line",
        "DROP TABLE line",
        "UPDATE orders SET customer_id = 1 WHERE id = 4",
        "ALTER TABLE line_new RENAME TO line",
    )

    if not first:
        with pytest.raises(OperationalError, match=r"no such table: main\.line"):
            till.sql(*copying)
        assert till.wrong == []
        return
    till.sql(*copying)
    till.app.install(till.engine)
    for _ in range(2):  # what the first writes touches others
        till.run()
    assert till.wrong == []
    till.sql("UPDATE line SET amount = 50 WHERE id = 1")
    assert till.wrong == []


def test_fresh_is_stale_and_explain_know_them(till: Till) -> None:
    till.run()
    till.sql("UPDATE line SET amount = 50 WHERE id = 1")
    with Session(till.engine) as session:
        customer = session.get_one(Customer, 1)
        assert not aw.is_stale(customer, "total")
        assert aw.fresh(customer, "total") == 55
        explained = till.app.explain(customer, "total")
        assert explained.state == "fresh"
        assert "It is computed at commit" in str(explained)


class Other(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Other): ...


KEEP: list[type] = []
"""The classes of models, which SQLAlchemy alone would let go of."""


def model(expression: Callable[[Any], Any] | None) -> Any:
    """A model with a derived member at commit that has this expression."""

    class Fresh(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Fresh): ...

    class Thing(Fresh):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        up_id: Mapped[int | None] = mapped_column()
        size: Mapped[int] = mapped_column(default=0)

        @aw.derived(size, at="commit")
        def compute_size(self) -> int:
            return 1

        if expression is not None:
            _size = compute_size.expression(expression)

    KEEP.extend((SysAsyncTicket, Thing))
    return Fresh


@pytest.mark.parametrize(
    ("expression", "why"),
    [(None, "it has no expression"), (lambda cls: select(literal(1)).limit(1).scalar_subquery(), "LIMIT")],
    ids=["without", "limited"],
)
def test_what_can_not_be_computed_at_commit_is_refused_with_the_reason(
    engine: Engine, expression: Callable[[Any], Any] | None, why: str
) -> None:
    base = model(expression)
    base.metadata.create_all(engine)

    with pytest.raises(NotAtCommit, match=f"Thing.size can't be computed at commit: .*{why}.*leave out at="):
        aw.Afterwork(base).install(engine)


@ON_SQLITE
def test_a_function_that_a_writer_may_not_have_is_refused(engine: Engine) -> None:
    base = model(lambda cls: func.mine(cls.up_id, type_=cls.size.type))
    base.metadata.create_all(engine)

    with pytest.raises(NotAtCommit, match="may not have its function 'mine'"):
        aw.Afterwork(base).install(engine)


def test_another_time_than_commit_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"at='flush'. Give at=.commit., or leave it out"):
        aw.derived("size", at="flush")(Order.compute_total.function)  # type: ignore[call-overload]

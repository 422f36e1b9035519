"""What a work returns is kept in its ticket, by its annotation."""

import json
from decimal import Decimal

import pytest
from sqlalchemy import JSON, Engine, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import ResultNotKept
from tests.support.packing import Base, Order, Pack, SysAsyncTicket, app, double
from tests.support.world import World, errors, statements


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def ask(world: World, *names: str, count: int = 1) -> None:
    """Ask for methods of new orders."""
    with world.session() as session, session.begin():
        for name in names:
            for _ in range(count):
                order = Order()
                session.add(order)
                aw.later(getattr(order, name))


def results(engine: Engine) -> list[str | None]:
    """The results of all tickets, as their rows have them."""
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT result FROM sys_async_ticket ORDER BY id")).scalars())


def test_each_ticket_of_a_batch_keeps_its_own_result(world: World) -> None:
    ask(world, "assign_number", count=5)
    world.run()
    assert results(world.engine) == ["10", "20", "30", "40", "50"]


def test_the_results_of_a_batch_take_one_statement(world: World) -> None:
    ask(world, "assign_number", count=10)
    with statements(world.engine) as sent:
        world.run()
    assert len([statement for statement in sent if statement.startswith("UPDATE sys_async_ticket")]) == 1
    assert len(set(results(world.engine))) == 10


def test_an_object_is_kept_by_its_external_id_also_if_the_run_has_made_it(world: World) -> None:
    ask(world, "copy")
    world.run()
    assert results(world.engine) == ['"Order!2"']


def test_an_external_run_keeps_its_result(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(order.charge.given(Decimal("12.50")))
    world.run()
    assert results(world.engine) == ['{"amount": "12.50", "token": "s3cret"}']


def test_a_function_keeps_its_result(engine: Engine) -> None:
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        aw.later(double.given(21), session=session)
    app.run_until_idle(engine)
    assert results(engine) == ["42"]


def test_a_view_model_keeps_what_its_last_action_returns(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(Pack(order))
        aw.later(Pack(order, ready=False))
    world.run()
    assert results(world.engine) == ['"1.50"', None]


def test_tickets_that_are_done_together_keep_the_results_of_the_list(world: World) -> None:
    ask(world, "counted", count=3)
    world.run()
    assert results(world.engine) == ["1001", "1002", "1003"]


@pytest.mark.parametrize("name", ["odd", "vanish"])
def test_a_result_that_cannot_be_kept_fails_nothing_and_is_told_once(world: World, name: str) -> None:
    ask(world, name, count=2)
    world.run()
    assert (results(world.engine), errors(world.engine, SysAsyncTicket)) == ([None, None], [None, None])
    told = [event for event in world.seen if isinstance(event, ResultNotKept)]
    assert [event.work for event in told] == [f"Order.{name}"]
    assert "the result wants" in told[0].error


def test_a_result_that_is_too_large_is_not_kept(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(order.plain.given("x" * 50_000))
    world.run()
    assert len(results(world.engine)[0] or "") == 50_002

    small = World(world.engine, Base, settings=aw.Settings(arguments_limit=1000))
    with small.session() as session, session.begin():
        session.execute(update(SysAsyncTicket).values(done=None, delete_time=None))
    small.run()
    assert results(small.engine) == [None]
    assert [event.error for event in small.seen if isinstance(event, ResultNotKept)] == [
        "Unfit: the result wants at most 1,000 bytes of JSON, and got 50,002."
    ]


def test_a_work_that_returns_nothing_leaves_nothing(world: World) -> None:
    ask(world, "nothing", "plain")
    world.run()
    assert results(world.engine) == [None, None]


def test_secrets_are_not_shown(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        aw.later(order.charge.given(Decimal(1)))
    world.run()
    shown = world.app.insight(world.engine).ticket("1")
    assert shown.result == {"amount": "1", "token": "(secret)"}


def test_the_result_of_a_work_that_is_unknown_by_now_is_hidden(world: World) -> None:
    ask(world, "assign_number")
    world.run()
    with world.session() as session, session.begin():
        session.execute(update(SysAsyncTicket).values(view_model="Order.gone"))
    assert world.app.insight(world.engine).ticket("1").result == "(secret)"


def test_a_column_of_json_keeps_what_the_text_says(engine: Engine) -> None:
    class Own(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Own):
        result: Mapped[dict[str, int] | None] = mapped_column(JSON)  # type: ignore[assignment]

    class Item(Own):
        __tablename__ = "item"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def give(self) -> dict[str, int]:
            return {"a": self.id}

    world = World(engine, Own)
    with world.session() as session, session.begin():
        items = [Item(), Item()]
        session.add_all(items)
        for item in items:
            aw.later(item.give)
    world.run()
    assert [json.loads(str(result).replace("'", '"')) for result in results(engine)] == [{"a": 1}, {"a": 2}]

"""State machines: orders that move when they are told to, and by themselves as soon as they can."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, text
from statemachine import State, StateChart

import afterwork as aw
from tests.support.orders import Order, Orders, orders
from tests.support.things import things
from tests.support.world import works

TAKEN = "INSERT INTO payment (id, order_id, amount) VALUES ({0}, 1, {0})"
"""A payment, as another program takes it."""


@pytest.fixture
def shop(engine: Engine) -> Orders:
    return orders(engine)


def test_a_new_order_stands_in_the_first_state_as_soon_as_it_is_saved(shop: Orders) -> None:
    with shop.session() as session:
        order = Order(id=2)
        session.add(order)
        session.flush()
        assert (order.state, order.flow.state, order.flow.is_in("cart")) == ("cart", "cart", True)
        session.commit()

    assert shop.entered(2) == ["cart"]


def test_an_event_moves_an_order_and_is_an_error_where_it_is_not_possible(shop: Orders) -> None:
    with shop.session() as session:
        order = session.get_one(Order, 1)
        assert aw.can(order.flow.place)
        assert not aw.can(order.flow.cancel)
        order.flow.place()
        assert not aw.can(order.flow.place)
        assert aw.can(order.flow.cancel)
        session.commit()

    assert shop.state() == "placed"
    assert shop.entered() == ["cart", "placed"]


def test_what_is_rolled_back_has_not_moved(shop: Orders) -> None:
    with shop.session() as session:
        order = session.get_one(Order, 1)
        order.flow.place()
        session.flush()
        session.rollback()
        assert order.flow.state == "cart"
        session.commit()

    assert (shop.entered(), shop.tickets()) == (["cart"], [])


def test_an_order_is_paid_as_soon_as_payments_cover_it_whoever_writes_them(shop: Orders) -> None:
    shop.do("place")
    shop.run()
    shop.sql(TAKEN.format(4))
    shop.run()
    assert shop.state() == "placed"

    shop.sql(TAKEN.format(6))

    assert works(shop.run()) == [("Order.flow", "Order!1")]
    assert shop.state() == "paid"
    assert shop.run() == []


def test_it_goes_as_many_steps_as_are_possible(shop: Orders) -> None:
    shop.do("place")
    shop.sql("UPDATE article SET stock = 5", "UPDATE orders SET fetch_at = '2000-01-01'", TAKEN.format(10))

    shop.run()

    assert shop.state() == "shipped"
    assert shop.entered() == ["cart", "placed", "paid", "packed", "shipped"]
    assert shop.value("SELECT stock FROM article") == 4


def test_an_event_of_a_user_is_followed_by_what_is_possible_then_without_a_server(shop: Orders) -> None:
    shop.sql(TAKEN.format(10))

    shop.do("place")

    assert shop.state() == "paid"


def test_a_guard_on_time_opens_at_its_moment(shop: Orders) -> None:
    moment = shop.clock.now() + timedelta(hours=2)
    with shop.session() as session, session.begin():
        session.get_one(Order, 1).fetch_at = moment
        session.get_one(Order, 1).state = "packed"
    shop.run()

    shop.clock.advance(timedelta(hours=2) - timedelta(microseconds=1))
    shop.run()
    assert shop.state() == "packed"
    shop.clock.advance(timedelta(microseconds=1))
    shop.run()

    assert shop.state() == "shipped"


def test_an_event_may_be_asked_for(shop: Orders) -> None:
    shop.ask("place", after=timedelta(hours=1))
    shop.run()
    assert shop.state() == "cart"

    shop.clock.advance(timedelta(hours=1, minutes=1))

    assert works(shop.run())[0] == ("Order.flow.place", "Order!1")
    assert shop.state() == "placed"


def test_an_event_that_is_not_possible_when_its_turn_comes_ends_its_ticket(shop: Orders) -> None:
    shop.do("place")
    shop.run()
    shop.ask("place")

    shop.run()

    assert shop.state() == "placed"
    assert "The precondition of Order.flow.place is false" in str(shop.tickets()[-1][1])


def _shipped(shop: Orders) -> None:
    shop.do("place")
    shop.sql("UPDATE article SET stock = 5", "UPDATE orders SET fetch_at = '2000-01-01'", TAKEN.format(10))
    shop.run()
    assert shop.state() == "shipped"


WAITING = "Order.escalate while flow is in shipped"


def test_what_is_asked_for_while_a_state_lasts_happens_if_it_lasts(shop: Orders) -> None:
    _shipped(shop)
    assert (WAITING, None) in shop.tickets()

    shop.clock.advance(timedelta(days=3, minutes=1))
    shop.run()

    assert shop.value("SELECT escalated FROM orders")


def test_also_an_action_that_all_states_have_may_ask_for_something_while_they_last(engine: Engine) -> None:
    class Patient(StateChart[Any]):
        calm = State(initial=True)
        cross = State(final=True)
        wait = calm.to(cross)

        def on_enter_state(self, model: Any) -> None:
            aw.while_in(model.state_machine_trigger, after=timedelta(hours=1))

    world = things(engine, Patient)
    world.add(1)
    tickets = world.thing.tickets
    assert [one.view_model for one in world.all(tickets)] == ["Thing.state_machine_trigger while flow is in calm"]

    with world.session() as session, session.begin():
        session.get_one(world.thing, 1).flow.wait()

    assert [one.view_model for one in world.all(tickets)] == ["Thing.state_machine_trigger while flow is in cross"]


def test_what_is_asked_for_while_a_state_lasts_is_withdrawn_when_the_state_is_left(shop: Orders) -> None:
    _shipped(shop)

    shop.do("deliver")

    assert WAITING not in [work for work, _ in shop.tickets()]
    shop.clock.advance(timedelta(days=3, minutes=1))
    shop.run()
    assert not shop.value("SELECT escalated FROM orders")


def test_what_is_left_over_from_a_state_that_another_program_has_ended_does_not_happen(shop: Orders) -> None:
    _shipped(shop)

    shop.sql("UPDATE orders SET state = 'delivered'")
    shop.clock.advance(timedelta(days=3, minutes=1))
    shop.run()

    assert not shop.value("SELECT escalated FROM orders")
    (error,) = [error for work, error in shop.tickets() if work == WAITING]
    assert "It was asked for while flow is in shipped, which is in delivered now." in str(error)


def test_what_is_asked_for_in_a_state_that_does_not_last_a_transaction_leaves_nothing(shop: Orders) -> None:
    with shop.session() as session, session.begin():
        order = session.get_one(Order, 1)
        order.state, order.fetch_at = "packed", shop.clock.now()
        session.flush()
        order.state_machine_trigger()  # type: ignore[attr-defined]
        order.flow.deliver()

    assert shop.state() == "delivered"
    assert shop.tickets() == []


def test_the_history_says_from_where_to_where_and_by_what(shop: Orders) -> None:
    shop.ask("place")
    shop.run()
    shop.sql(TAKEN.format(10))
    shop.run()
    shop.do("cancel")

    assert shop.history() == [
        (None, "cart", None, None),
        ("cart", "placed", "place", "Order.flow.place"),
        ("placed", "paid", None, "Order.flow"),
        ("paid", "cancelled", "cancel", None),
    ]


def test_the_history_has_also_moves_that_were_saved_by_an_action(engine: Engine) -> None:
    @aw.track_history
    class Hasty(StateChart[Any]):
        calm = State(initial=True)
        cross = State(final=True)
        wait = calm.to(cross)

        def on_enter_cross(self, model: Any) -> None:
            aw.session(model).flush()

    world = things(engine, Hasty)
    world.add(1)
    with world.session() as session, session.begin():
        session.get_one(world.thing, 1).flow.wait()

    with engine.connect() as connection:
        found = connection.execute(text("SELECT source, target, event FROM afterwork_transition ORDER BY id"))
        assert [tuple(row) for row in found] == [(None, "calm", None), ("calm", "cross", "wait")]


def test_an_object_is_told_when_it_has_moved(shop: Orders) -> None:
    _shipped(shop)

    assert shop.value("SELECT told FROM orders") == (
        " flow: None → cart; flow: cart → placed; flow: placed → paid; flow: paid → packed; flow: packed → shipped;"
    )


def test_orders_can_be_told_to_look_now_what_is_possible(shop: Orders) -> None:
    shop.do("place")
    shop.sql(TAKEN.format(10))
    with shop.session() as session, session.begin():
        order = session.get_one(Order, 1)
        order.state_machine_trigger()  # type: ignore[attr-defined]
        assert order.flow.state == "paid"

    assert shop.state() == "paid"


def test_a_ticket_may_say_to_look_now_what_is_possible(shop: Orders) -> None:
    shop.do("place")
    shop.run()
    with shop.session() as session, session.begin():
        aw.later(session.get_one(Order, 1).state_machine_trigger)  # type: ignore[attr-defined]

    assert ("Order.state_machine_trigger", "Order!1") in works(shop.run())
    assert shop.state() == "placed"


def test_the_server_has_orders_begin_that_another_program_has_inserted(shop: Orders) -> None:
    shop.sql(
        "INSERT INTO orders (id, state, total, article_id, confirmed, hurried, escalated, told) "
        "VALUES (7, NULL, 10, 1, 0, 0, false, '')"
    )

    shop.run()

    assert (shop.state(7), shop.entered(7)) == ("cart", ["cart"])


def test_entry_actions_ask_for_work_once_however_often_they_ask(shop: Orders) -> None:
    shop.do("place")
    shop.do("remind")
    shop.do("remind")
    shop.run()

    assert shop.value("SELECT confirmed FROM orders") == 1
    assert shop.entered() == ["cart", "placed", "placed", "placed"]


def test_entry_actions_of_a_move_of_the_server_join_what_is_asked_for_already(shop: Orders) -> None:
    with shop.session() as session, session.begin():
        aw.later(session.get_one(Order, 1).hurry, after=timedelta(hours=2))
    shop.sql("UPDATE article SET stock = 5", "UPDATE orders SET state = 'paid'")

    assert works(shop.run()) == [("Order.flow", "Order!1")]

    assert shop.state() == "packed"
    assert shop.tickets() == [("Order.hurry", None)]
    assert shop.run() == []
    shop.clock.advance(timedelta(hours=2, minutes=1))
    shop.run()
    assert shop.value("SELECT hurried FROM orders") == 1


def test_where_an_order_is_deleted_its_machine_is_left_alone(shop: Orders) -> None:
    shop.do("place")
    shop.run()

    shop.sql("DELETE FROM orders")

    assert shop.run() == []

"""Code with no thought for loading needs no query per object."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from sqlalchemy import event, inspect, select
from sqlalchemy.orm import Session, lazyload, raiseload, selectinload

from afterwork.derived.tracking import batch_loading
from tests.support.tracking.scene import Card, Clerk, Customer, Line, Order, Person, Remark, Scene, Tag

CUSTOMERS, ORDERS, LINES = 4, 50, 5


@pytest.fixture
def shop(empty_scene: Scene) -> Scene:
    """Customers with orders with lines, tags and remarks."""
    with Session(empty_scene.engine) as session:
        session.add_all(Clerk(id=number, name=f"clerk {number}") for number in (1, 2, 3))
        session.flush()
        session.add_all(Person(id=10 + number, name="", boss_id=1 + number % 3) for number in range(9))
        session.add_all(Tag(id=number, name=f"tag {9 - number}") for number in range(6))
        session.add_all(Customer(id=number) for number in range(1, CUSTOMERS + 1))
        session.flush()
        for number in range(1, CUSTOMERS + 1):
            session.get_one(Customer, number).sponsor_id = number - 1 or None
            if number != 2:
                session.add(Card(number=f"X{number}", customer_id=number))
        for number in range(CUSTOMERS * ORDERS):
            lines = [Line(position=position, amount=position) for position in range(LINES)]
            clerk = None if number % 5 == 0 else 1 + number % 3
            order = Order(
                id=1 + number, customer_id=1 + number % CUSTOMERS, number=-number, lines=lines, clerk_id=clerk
            )
            order.tags = [session.get_one(Tag, tag) for tag in range(6) if number % (tag + 2) == 0]
            session.add(order)
        session.flush()
        session.add_all(Remark(id=number, order_id=1 + number, position=number % LINES) for number in range(20))
        session.commit()
    return empty_scene


def total(customer: Customer) -> int:
    return sum(line.amount for order in customer.orders for line in order.lines)


def test_a_naive_loop_takes_one_query_for_each_relationship(shop: Scene) -> None:
    with shop.session() as session:
        root = session.get_one(Customer, 1)
        shop.statements.clear()
        shop.reads(session, lambda: total(root))
        assert len(shop.statements) == 2
        assert total(root) == ORDERS * sum(range(LINES))


def test_many_roots_take_no_more_queries(shop: Scene) -> None:
    with shop.session() as session:
        roots = session.scalars(select(Customer)).all()
        shop.statements.clear()
        for root in roots:
            shop.reads(session, lambda root=root: total(root))  # type: ignore[misc]
        assert len(shop.statements) == 2


def test_objects_loaded_for_others_are_not_read(shop: Scene) -> None:
    with shop.session() as session:
        roots = session.scalars(select(Customer)).all()
        assert shop.reads(session, lambda: roots[0].orders) == {"order_ ? customer_id=1: number"}
        assert shop.reads(session, lambda: roots[1].orders) == {"order_ ? customer_id=2: number"}


def test_outside_of_a_cache_relationships_load_lazily(shop: Scene) -> None:
    with shop.session() as session:
        root = session.get_one(Customer, 1)
        shop.statements.clear()
        total(root)
        assert len(shop.statements) == 1 + ORDERS


def test_one_query_loads_for_a_limited_number_of_objects(shop: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_loading, "MAX_OBJECTS_PER_QUERY", 30)
    with shop.session() as session:
        orders = session.scalars(select(Order)).all()
        shop.statements.clear()
        shop.reads(session, lambda: [order.lines for order in orders])
        assert len(shop.statements) == -(-CUSTOMERS * ORDERS // 30)


Walk = Callable[[Session], Iterable[Any]]
RELATIONSHIPS: dict[str, tuple[type, str, int | None]] = {
    "one to many, in order": (Customer, "orders", 1),
    "one to many, in a dictionary": (Customer, "by_number", 1),
    "one to many, narrowed": (Customer, "big_orders", None),
    "one to many, not understood": (Customer, "odd_orders", None),
    "one to many, itself": (Customer, "sponsored", 1),
    "one to many, a key of two": (Line, "remarks", None),
    "one to many, subclasses": (Clerk, "staff", 1),
    "one to one": (Customer, "card", 1),
    "many to one": (Order, "customer", 1),
    "many to one, itself": (Customer, "sponsor", 0),
    "many to one, a subclass": (Order, "clerk", 1),
    "many to one, a key of two": (Remark, "line", None),
    "many to one, from a key": (Line, "order", 2),
    "many to many": (Tag, "orders", 2),  # one for the rows between: nobody sees to it that they lead somewhere
    "many to many, in order": (Order, "tags", 2),
}


@pytest.mark.parametrize("kind", RELATIONSHIPS)
def test_batch_loading_finds_what_lazy_loading_finds(shop: Scene, kind: str) -> None:
    cls, name, queries = RELATIONSHIPS[kind]

    def found(session: Session) -> list[Any]:
        objects: Any = session.scalars(select(cls).order_by(*inspect(cls).primary_key)).unique().all()
        shop.statements.clear()
        return [_in_words(getattr(obj, name), "in order" in kind) for obj in objects]

    with shop.session() as session:
        expected = found(session)
    with shop.session() as session:
        session.only_reads = True  # type: ignore[attr-defined] # as that of a calculation
        with shop.recorder(session).recording():
            assert found(session) == expected
        if queries is not None:
            assert len(shop.statements) == queries
        assert not session.dirty


def _in_words(value: Any, in_order: bool) -> Any:
    if isinstance(value, dict):
        return {key: inspect(obj).identity for key, obj in value.items()}
    if isinstance(value, list):
        words = [inspect(obj).identity for obj in value]
        return words if in_order else sorted(words)
    return None if value is None else (type(value), inspect(value).identity)


def test_pending_changes_are_kept(shop: Scene) -> None:
    with shop.session() as session, session.no_autoflush:
        first, second = session.get_one(Customer, 1), session.get_one(Customer, 2)
        new = Order(id=999, number=5, customer=second)
        gone = session.scalars(select(Order).where(Order.customer_id == 2)).first()
        assert gone is not None
        gone.customer = first
        shop.reads(session, lambda: first.orders)
        assert new in second.orders
        assert gone not in second.orders
        assert gone in first.orders


@pytest.mark.parametrize("option", [raiseload(Order.lines), lazyload(Order.lines), raiseload("*")])
def test_options_for_loading_are_kept(shop: Scene, option: Any) -> None:
    with shop.session() as session:
        free = session.scalars(select(Order).where(Order.id < 4)).all()
        bound = session.scalars(select(Order).where(Order.id.between(4, 9)).options(option)).all()
        shop.reads(session, lambda: free[0].lines)
        assert all("lines" in inspect(order).dict for order in free)
        assert not any("lines" in inspect(order).dict for order in bound)


def test_other_options_do_not_prevent_batch_loading(shop: Scene) -> None:
    with shop.session() as session:
        query = select(Customer).options(selectinload(Customer.orders)).where(Customer.id == 1)
        root = session.scalars(query).one()
        shop.statements.clear()
        shop.reads(session, lambda: total(root))
        assert len(shop.statements) == 1


def test_expired_objects_are_refreshed_first(shop: Scene) -> None:
    with shop.session() as session:
        orders = session.scalars(select(Order).where(Order.id < 5)).all()
        session.expire_all()
        with shop.recorder(session).recording():
            assert [len(order.lines) for order in orders] == [LINES] * 4
            customers = [order.customer for order in orders]
            session.expire_all()
            assert [order.customer for order in orders] == customers


def test_load_events_are_still_sent(shop: Scene) -> None:
    seen: list[object] = []

    def loaded(line: Line, _: object) -> None:
        seen.append(line)

    event.listen(Line, "load", loaded)
    try:
        with shop.session() as session:
            orders = session.get_one(Order, 1), session.get_one(Order, 2)
            shop.reads(session, lambda: orders[0].lines)
            assert len(seen) == 2 * LINES
    finally:
        event.remove(Line, "load", loaded)

"""Expressions in EAL change the model."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import CantEvaluate, HasEffects, LanguageError, UnknownName, WrongType
from afterwork.language.query import compile_action, compile_query
from afterwork.language.typed.names import Names
from tests.support.language.model import Customer, Kind, Order, Settings, names


def do(text: str, session: Session) -> Any:
    """Run an action on Ada."""
    return compile_action(text, names(), Customer)(session.get_one(Customer, 1), session=session)


def test_members_are_set_and_the_last_statement_is_the_value(sqlite: Session) -> None:
    assert do("self.name := 'Grace'; number := 1; self.kind := #Large; self.name", sqlite) == "Grace"

    ada = sqlite.get_one(Customer, 1)
    assert (ada.name, ada.number, ada.kind) == ("Grace", 1, Kind.Large)


def test_a_member_is_set_to_null(sqlite: Session) -> None:
    do("self.number.setToNull; self.orders->first.customer.setToNull; let n = 1 in n.SetToNull()", sqlite)

    ada = sqlite.get_one(Customer, 1)
    assert ada.number is None
    assert [order.id for order in ada.orders] == [2]


def test_an_association_end_set_to_null_has_no_objects(sqlite: Session) -> None:
    do("self.orders := null; self.orders->first.lines.setToNull", sqlite)

    assert sqlite.get_one(Customer, 1).orders == []


def test_only_members_and_variables_are_set_to_null() -> None:
    with pytest.raises(WrongType, match="Only members and variables"):
        compile_action("self.name.trim.setToNull", names(), Customer)


def test_a_member_is_dirty_until_it_is_saved(sqlite: Session) -> None:
    assert do("self.name := 'Grace'; self.orders.clear; self.isDirtyMember('Name')", sqlite) is True
    assert do("self.isDirtyMember('orders')", sqlite) is True
    assert do("self.isDirtyMember('number')", sqlite) is False
    sqlite.flush()
    assert do("self.isDirtyMember('name')", sqlite) is False


def test_a_query_of_the_database_must_not_change_the_model(sqlite: Session) -> None:
    with pytest.raises(CantEvaluate, match="This changes the model"):
        do("Order.PSEval(Order.allInstances->select(o | o.paid := true))", sqlite)


def test_an_object_is_created_and_saved_with_what_was_set(session: Session) -> None:
    do(
        "let o = Order.Create in (o.id := 99; o.Customer := self; "
        " o.total := self.orders.total->sum; o.made := DateTime.Now)",
        session,
    )
    session.flush()

    order = session.scalars(select(Order).order_by(Order.id.desc())).first()
    assert order is not None
    assert (order.customer_id, order.total) == (1, Decimal("200.10"))
    assert order.made is not None
    assert order.made.tzinfo is None


def test_a_real_is_converted_to_the_decimal_of_its_member(sqlite: Session) -> None:
    do("self.orders->first.total := 1 / 4", sqlite)

    assert sqlite.get_one(Order, 1).total == Decimal("0.25")


def test_an_assignment_to_a_member_of_null_changes_nothing(sqlite: Session) -> None:
    assert do("self.referrer.name := 'x'", sqlite) == "x"
    assert do("self.referrer.rename('x')", sqlite) is None


def test_objects_are_added_to_and_removed_from_an_association_end(sqlite: Session) -> None:
    do("self.orders.add(Order.allInstances->any(o | o.customer->isNull))", sqlite)
    assert [order.id for order in sqlite.get_one(Customer, 1).orders] == [1, 2, 4]

    do("self.orders.remove(self.orders->first)", sqlite)
    assert [order.id for order in sqlite.get_one(Customer, 1).orders] == [2, 4]

    do("self.orders.clear", sqlite)
    assert sqlite.get_one(Customer, 1).orders == []


def test_objects_are_added_to_association_ends_only(sqlite: Session) -> None:
    with pytest.raises(WrongType, match="changes an association end, and this is none"):
        do("self.orders->select(o | true).add(Order.Create)", sqlite)


def test_objects_are_deleted(session: Session) -> None:
    do("self.orders->foreach(o | o.delete)", session)
    session.flush()

    assert session.scalars(select(Order.id).order_by(Order.id)).all() == [3, 4]


def test_all_instances_count_new_and_deleted_objects_as_if_saved(sqlite: Session) -> None:
    assert do("let o = Order.Create in Order.allInstances->size", sqlite) == 5
    sqlite.rollback()
    assert do("self.orders->first.delete; Order.allInstances->size", sqlite) == 3


def test_variables_are_set(sqlite: Session) -> None:
    assert do("let n = 0 in (self.orders->foreach(o | n := n + 1); n)", sqlite) == 2


def test_a_number_is_assigned_from_a_series(sqlite: Session) -> None:
    do("let s = Settings.Create in s.last_number := 41", sqlite)
    do("let s = Settings.oclSingleton in (s.last_number := s.last_number + 1; self.number := s.last_number)", sqlite)

    assert sqlite.get_one(Customer, 1).number == 42
    assert sqlite.scalars(select(Settings.last_number)).one() == 42


def test_methods_are_called_if_they_may_run(sqlite: Session) -> None:
    ada = sqlite.get_one(Customer, 1)
    guarded = compile_action("if self.AssignNumber? then self.AssignNumber else false endif", names(), Customer)

    guarded(ada)
    assert ada.number == 7

    ada.number = None
    guarded(ada)
    assert ada.number == 4711


def test_an_action_runs_only_when_it_is_true(sqlite: Session) -> None:
    do("false.whenTrue(self.name := 'x'); self.AssignNumber?.whenTrue(self.AssignNumber)", sqlite)

    ada = sqlite.get_one(Customer, 1)
    assert (ada.name, ada.number) == ("Ada", 7)


def test_an_exception_of_a_method_passes_through_unchanged(sqlite: Session) -> None:
    with pytest.raises(ValueError, match="invalid literal") as caught:
        compile_query("self.orders->collect(o | self.fails)", names(), Customer)(sqlite.get_one(Customer, 1))

    assert not isinstance(caught.value, LanguageError)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("self.total := 1", "Customer has no total"),
        ("self.number := 'x'", "Integer is wanted here, and this is String"),
        ("self.number := 1.5", "Integer is wanted here, and this is Decimal"),
        ("self.kind := #Medium", "Kind has no member Medium"),
        ("self := null", "Only members and variables can be set"),
        ("self.name.length := 1", "Only members and variables can be set"),
        ("self.orders.total := 1", "Only members and variables can be set"),
        ("self.orders := Set{self}", "is wanted here, and this is Set(Customer)"),
        ("self.rename(1)", "name is String, and this is Integer"),
    ],
)
def test_an_assignment_that_can_not_be_is_refused_before_anything_runs(text: str, problem: str) -> None:
    with pytest.raises((WrongType, UnknownName)) as caught:
        compile_action(text, names(), Customer)

    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("let x = self.number in self.number := x", 24),
        ("self.orders->select(o | o.delete->isNull)", 25),
        ("self.name->isNull or (self.active := true)", 23),
        ("self.rename('x')", 1),
        ("Order.create.total", 1),
        ("self.orders->foreach(o | o.paid := true)", 26),
        ("let n = 1 in (n := 2; n)", 15),
    ],
)
def test_a_query_refuses_an_effect_with_its_position(text: str, column: int) -> None:
    with pytest.raises(HasEffects) as caught:
        compile_query(text, names(), Customer)

    assert caught.value.column == column


def test_a_loop_over_an_association_end_may_change_the_end(sqlite: Session) -> None:
    do("self.orders->foreach(o | self.orders.remove(o))", sqlite)

    assert sqlite.get_one(Customer, 1).orders == []


def test_the_number_assignment_of_the_blog_post_makes_a_ticket(sqlite: Session) -> None:
    class TicketBase(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, TicketBase): ...

    class Client(TicketBase):
        __tablename__ = "client"
        id: Mapped[int] = mapped_column(primary_key=True)

    TicketBase.metadata.create_all(sqlite.connection())
    known = Names.of(
        TicketBase,
        view_models=lambda cls: ("TheCustomerNumberAssigner",) if cls is Client else (),
        transients=lambda cls: ("root_object",) if cls is SysAsyncTicket else (),
    )
    ask = compile_action(
        "let ticket=SysAsyncTicket.Create in "
        "(ticket.RootObject:=self; ticket.ViewModel:=Client.ViewModels.TheCustomerNumberAssigner)",
        known,
        Client,
    )
    client = Client(id=5)
    sqlite.add(client)
    ask(client)
    sqlite.flush()

    (ticket,) = sqlite.scalars(select(SysAsyncTicket))
    assert (ticket.root_id, ticket.view_model) == ("Client!5", "TheCustomerNumberAssigner")


def test_reading_needs_a_session() -> None:
    with pytest.raises(CantEvaluate, match="needs self to be in a session"):
        compile_query("Order.allInstances->size", names())()

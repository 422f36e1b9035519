"""A ticket carries the arguments of its work: checked when it is asked for, and given to its run."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies
from sqlalchemy import Engine, delete, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadArguments, BadDeclaration, BadRequest, NoSession
from afterwork.model.arguments.annotation import Resolver
from afterwork.model.arguments.kind_of import Kinds
from afterwork.model.arguments.parameters import Arguments, Parameters
from tests.arguments.world import (
    VALUES,
    WRONG,
    Base,
    Customer,
    Order,
    Refund,
    SysAsyncTicket,
    Tidy,
    app,
    greet,
    tidy_up,
)


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session:
        yield session


def order(session: Session) -> Order:
    made = Order()
    session.add(made)
    return made


def run(session: Session) -> list[str | None]:
    """Run all that was asked for. Return the Errors of the tickets."""
    session.commit()
    bind = session.get_bind()
    assert isinstance(bind, Engine)
    app.run_until_idle(bind)
    session.expire_all()
    return list(session.scalars(select(SysAsyncTicket.error).order_by(SysAsyncTicket.id)))


def notes(session: Session) -> list[str | None]:
    return list(session.scalars(select(Order.note).order_by(Order.id)))


def taking(annotation: Any) -> Parameters:
    def function(what: Any) -> None: ...

    function.__annotations__["what"] = annotation
    return Parameters.of_function("function", function, None)


def come_back(parameters: Parameters, value: Any) -> Any:
    written = parameters.written((value,), {}).text()
    return parameters.read(written, lambda text, cls, where: text)["what"]


@pytest.mark.parametrize("kind", VALUES)
def test_what_is_given_comes_back_equal_and_of_its_class(kind: str) -> None:
    annotation, value = VALUES[kind]
    came = come_back(taking(annotation), value)
    assert came == value
    assert type(came) is type(value)


@pytest.mark.parametrize("kind", WRONG)
def test_what_an_annotation_does_not_allow_is_refused(kind: str) -> None:
    annotation, value = WRONG[kind]
    with pytest.raises(BadArguments, match=r"function: what.* wants .*, and got "):
        taking(annotation).written((value,), {})


@for_all(
    strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.integers() | strategies.text()
        | strategies.floats(allow_nan=False, allow_infinity=False),
        lambda inner: strategies.lists(inner) | strategies.dictionaries(strategies.text(), inner),
    )
)  # fmt: skip
def test_whatever_json_has_comes_back(value: Any) -> None:
    assert come_back(taking(Any), value) == value


@for_all(
    strategies.dictionaries(
        strategies.dates() | strategies.none(),
        strategies.lists(strategies.decimals(allow_nan=False) | strategies.timedeltas()),
    )
)
def test_whatever_the_annotations_allow_comes_back(value: Any) -> None:
    from datetime import date, timedelta

    assert come_back(taking(dict[date | None, list[Decimal | timedelta]]), value) == value


def test_a_method_is_called_with_what_it_was_asked_for_with(session: Session) -> None:
    customer = Customer(name="Ann")
    aw.later(order(session).refund.given(Decimal("12.50"), reason="broken", to=customer))
    aw.later(order(session).refund.given(Decimal(1)))

    assert run(session) == [None, None]
    assert notes(session) == ["12.50 broken Ann", "1 none None"]


def test_what_is_changed_afterwards_makes_no_difference(session: Session) -> None:
    items = [1]
    asked = order(session).take.given(items)
    items.append(2)
    aw.later(asked)
    run(session)
    assert notes(session) == ["[1]"]


@pytest.mark.parametrize(
    ("args", "kwargs", "says"),
    [
        ((), {}, "missing a required argument: 'amount'"),
        ((1.5,), {}, "amount wants a Decimal that is a number, and got 1.5"),
        (
            (Decimal(1),),
            {"reasn": ""},
            r"Order.refund takes no argument 'reasn'. Did you mean reason\? It takes \(amount",
        ),
        ((), {"amont": 1}, r"takes no argument 'amont'. Did you mean amount\?"),
        ((Decimal(1), "", 3), {}, "too many positional arguments"),
    ],
)
def test_what_the_signature_refuses_is_refused_at_the_call(session: Session, args: Any, kwargs: Any, says: str) -> None:
    with pytest.raises(BadArguments, match=says):
        order(session).refund.given(*args, **kwargs)


def test_a_method_that_needs_arguments_is_not_asked_for_without(session: Session) -> None:
    with pytest.raises(BadArguments, match=r"Order.refund needs amount. Give arguments: aw.later\(obj.refund.given"):
        aw.later(order(session).refund)


def test_an_object_that_is_gone_ends_the_ticket_with_an_error(session: Session) -> None:
    customer = Customer(name="Ann")
    session.add(customer)
    aw.later(order(session).refund.given(Decimal(1), to=customer))
    session.flush()
    session.execute(delete(Customer))
    assert run(session) == ["Arguments: to: Customer!1 is not there (any more)."]


@pytest.mark.parametrize(
    ("stored", "error"),
    [
        ('{"sum": "1"}', "Arguments: Order.refund has no parameter 'sum'. It takes (amount"),
        ("{}", "Arguments: Order.refund needs amount, which the ticket doesn't give."),
        (None, "Arguments: Order.refund needs amount, which the ticket doesn't give."),
        ('{"amount": 1}', "Arguments: Order.refund: amount wants a Decimal"),
        ("[1", "Arguments is no object of JSON"),
        ('{"amount": "1", "to": "Order!1"}', "Arguments: to needs an object of class Customer, not Order!1."),
    ],
)
def test_arguments_that_fit_no_longer_end_the_ticket_with_an_error(
    session: Session, stored: str | None, error: str
) -> None:
    aw.later(order(session).refund.given(Decimal(1)))
    session.flush()
    session.execute(update(SysAsyncTicket).values(arguments=stored))
    (said,) = run(session)
    assert said is not None
    assert said.startswith(error)
    assert notes(session) == [None]


def test_a_view_model_gets_the_variables_of_its_constructor(session: Session) -> None:
    aw.later(Refund(order(session), amount=Decimal("3.0")))
    later = Refund(order(session))
    later.amount = Decimal(4)
    aw.later(later)
    run(session)
    assert notes(session) == ["Decimal('3.0')", "Decimal('4')"]


def test_what_no_run_of_a_view_model_would_see_is_refused(session: Session) -> None:
    with pytest.raises(BadArguments, match=r"takes no argument 'amout'. Did you mean amount\?"):
        Refund(order(session), amout=1)
    with pytest.raises(BadArguments, match="amount wants a Decimal"):
        Refund(order(session), amount=1.5)
    work = Refund(order(session))
    work.note = "x"  # type: ignore[attr-defined]
    with pytest.raises(BadArguments, match="note was set, and its run would not see it"):
        aw.later(work)


def test_equal_arguments_are_one_unique_request(session: Session) -> None:
    ann, one = Customer(name="Ann"), order(session)
    for amount in ("1.50", "1.5", "2"):
        for to in (ann, None):
            aw.later(one.refund.given(Decimal(amount), to=to), unique=True)
            session.flush()
    aw.later(one.refund.given(Decimal(2), reason="none"), unique=True)
    session.flush()
    assert len(session.scalars(select(SysAsyncTicket)).all()) == 4


def test_some_arguments_can_make_a_request_unique(session: Session) -> None:
    one = order(session)
    first = aw.later(one.refund.given(Decimal(1), "late"), unique=aw.by("reason"))
    assert aw.later(one.refund.given(Decimal(2), "late"), unique=aw.by("reason")) is first
    session.commit()
    assert aw.later(one.refund.given(Decimal(2), "late"), unique=aw.by("reason")) is first
    assert aw.later(one.refund.given(Decimal(2), "lost"), unique=aw.by("reason")) is not first
    with pytest.raises(BadArguments, match=r"aw.by\('resson'\): Order.refund has no such parameter"):
        aw.later(one.refund.given(Decimal(2)), unique=aw.by("resson"))


def test_a_megabyte_of_arguments_is_refused(session: Session) -> None:
    with pytest.raises(
        BadArguments, match=r"Order.take: its arguments take 1,000,\d+ bytes, and a ticket keeps 65,536"
    ):
        aw.later(order(session).take.given("x" * 1_000_000))


def test_a_ticket_class_without_the_attribute_says_so(engine: Engine) -> None:
    class Other(DeclarativeBase):
        pass

    class SysAsyncTicket(aw.AsyncTicket, Other):
        arguments = None

    class Thing(Other):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)

        @aw.method
        def take(self, what: int) -> None: ...

    Other.metadata.create_all(engine)
    with Session(engine) as session:
        thing = Thing()
        session.add(thing)
        with pytest.raises(
            BadRequest, match=r"SysAsyncTicket has no attribute arguments. Add it to SysAsyncTicket: arg"
        ):
            aw.later(thing.take.given(1))


def test_a_table_of_an_earlier_version_gets_the_column_by_install(session: Session, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE sys_async_ticket DROP COLUMN arguments"))
    faults = [finding for finding in app.insight(engine).check() if finding.is_fault]
    assert [fault.what for fault in faults] == ["columns of sys_async_ticket"]
    assert faults[0].advice.startswith("Missing: arguments.")
    assert app.install(engine) == ["column sys_async_ticket.arguments added"]
    aw.later(order(session).take.given(1))
    assert run(session) == [None]


def test_secrets_are_not_shown(session: Session, engine: Engine) -> None:
    asked = order(session).login.given("ann", token="s3cret")
    assert repr(asked.arguments) == "user='ann', token='(secret)'"
    ticket = aw.later(asked)
    session.commit()
    detail = app.insight(engine).ticket(str(ticket.id))
    assert detail.call == "Order!1.login(user='ann', token='(secret)')"
    assert detail.arguments == {"user": "ann", "token": "(secret)"}
    with pytest.raises(BadArguments) as raised:
        order(session).login.given("ann", token=5)  # type: ignore[arg-type]
    assert "5" not in str(raised.value)


def test_without_an_annotation_only_what_json_has_is_taken(session: Session) -> None:
    aw.later(order(session).unannotated.given({"a": [1]}))
    with pytest.raises(BadArguments, match="It has no annotation: give it one"):
        order(session).unannotated.given(Decimal(1))
    run(session)
    assert notes(session) == ["{'a': [1]}", None]


def test_work_without_a_root_is_asked_for_in_a_session(session: Session) -> None:
    aw.later(Tidy(), session=session)
    aw.later(Tidy(days=5), session=session)
    aw.later(greet.given("Ann", customer=Customer(name="Bob")), session=session)
    assert run(session) == [None] * 3
    assert notes(session) == ["tidied 3", "tidied 5", "hello Ann None Bob"]
    with pytest.raises(NoSession, match="tidy up has no root, whose session it would be saved in"):
        aw.later(tidy_up)


def test_a_function_has_the_guarantees_and_options_of_a_method(session: Session) -> None:
    ticket = aw.later(tidy_up, session=session, unique=True)
    assert aw.later(tidy_up, session=session, unique=True) is ticket
    session.commit()
    assert aw.later(tidy_up, session=session, unique=True) is ticket
    assert run(session) == [None]
    assert (ticket.lane, ticket.view_model, ticket.attempts) == ("nights", "tidy up", 2)
    assert notes(session) == ["tidied"]


def test_a_function_that_is_gone_ends_the_ticket_with_an_error(session: Session) -> None:
    session.add(SysAsyncTicket(view_model="geet", arguments='{"name": "Ann"}'))
    (error,) = run(session)
    assert error == "'geet' is no view model, no method and no job function of this model. Near to it: greet."


def test_two_functions_have_two_names() -> None:
    other = aw.Afterwork(Base)

    def sweep() -> None: ...

    other.job(sweep)
    other.job(sweep)
    with pytest.raises(BadDeclaration, match="has the name sweep already"):
        other.job(name="sweep")(tidy_up.function)


def test_many_is_refused_for_a_method_with_parameters() -> None:
    with pytest.raises(BadDeclaration, match=r"take has parameters \(what\), which each ticket may give differently"):
        Order.take.many(lambda orders: None)


def test_annotations_that_no_ticket_can_keep_are_named() -> None:
    with pytest.raises(BadArguments, match="function: what is annotated with Session"):
        taking(list[Session]).written(([],), {})
    with pytest.raises(BadArguments, match="the annotation of what, 'Nowhere', can't be resolved"):
        taking("Nowhere").written((1,), {})
    with pytest.raises(
        BadArguments, match=r"too many positional arguments. .* No ticket can give \*rest or \*\*more\."
    ):
        Parameters.of_function("function", lambda *rest, **more: None, None).written((1,), {})
    assert isinstance(Arguments(taking(int), {"what": 1}), Arguments)
    assert Kinds(Resolver({}, Order, None)).of("Customer").wanted == "an object of class Customer"

"""Texts call methods with arguments, use what they return, and are refused where that makes no sense."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from afterwork.errors import BadArguments, BadDeclaration, HasEffects, LanguageError, ModelError, TooMuch
from tests.model.jobs_scene import Load, load
from tests.support.machine_model import a_base
from tests.support.world import World

__all__ = ["load"]


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int] = mapped_column(default=3)
    log: Mapped[str] = mapped_column(default="")

    @aw.method
    def price(self, count: int, *, more: int = 0) -> int:
        return self.weight * count + more

    @aw.method
    def sneak(self) -> int:
        self.weight += 1
        return self.weight

    @aw.method
    def send(self) -> None:
        self.log += "sent "

    @aw.method
    def refund(self, amount: Decimal, reason: str = "none") -> None:
        self.log += f"{amount!r} {reason} "

    @aw.method
    @staticmethod
    def standard(factor: int = 1) -> int:
        return 5 * factor

    heaviest = aw.method(staticmethod(aw.ocl("Parcel.allInstances->orderDescending(weight)->first")))
    factorial = aw.method(
        aw.ocl("if n < 2 then 1 else n * self.factorial(n - 1) endif", parameters={"n": int}, result=int)
    )
    fibonacci = aw.method(
        aw.ocl(
            "if n < 2 then n else self.fibonacci(n - 1) + self.fibonacci(n - 2) endif",
            parameters={"n": int},
            result=int,
        )
    )
    endless = aw.method(aw.ocl("self.endless", result=int))
    ask = aw.method(aw.eal("self.DoAsync('refund', 12, 'broken', 2)"))
    ask_by_variable = aw.method(aw.eal("let n = 're' + 'fund' in self.DoAsync(n, 12)"))
    put_off = aw.method(aw.eal("self.DoAsync('send').ExecuteEarliest := DateTime.Now.addDays(1)"))


app = aw.Afterwork(Base)


def parcel(session: Session) -> Parcel:
    Base.metadata.create_all(session.connection())
    made = Parcel()
    session.add(made)
    session.flush()
    return made


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("self.price(4) + 1", 13),
        ("self.price(4, 2)", 14),
        ("Parcel.standard", 5),
        ("Parcel.standard(3)", 15),
        ("Parcel.heaviest.weight", 3),
        ("self.factorial(5)", 120),
        ("Parcel.allInstances->collect(p | p.price(2))->sum", 6),
    ],
)
def test_a_method_is_called_with_arguments_and_gives_its_result(engine: Engine, text: str, value: Any) -> None:
    with Session(engine) as session:
        assert app.evaluate(session, text, parcel(session)) == value


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("self.price", r"price can't take no arguments. It is written as price\(count : Integer, \[more : Integer\]\)"),
        ("self.price(1, 2, 3)", "price can't take 3 arguments"),
        ("self.price('x')", "count is Integer, and this is String"),
        ("self.standard", r"standard is static, so it is called by the class: Parcel\.standard"),
        ("Parcel.price(1)", "price belongs to an object"),
        ("self.weight := self.send", "It gives nothing"),
        ("self.price(self.send)", "It gives nothing"),
        ("self.send + 1", "It gives nothing"),
        ("self.weight := if true then self.send else 1 endif", "It gives nothing"),
        ("self.DoAsync('refnd')", r"DoAsync knows no 'refnd'. Did you mean refund"),
        ("self.DoAsync('refund')", "DoAsync can't take 1 argument"),
        ("self.DoAsync('refund', 'x')", "amount is Decimal, and this is String"),
        ("self.DoAsync('send', 1, 2)", "DoAsync can't take 3 arguments"),
    ],
)
def test_a_call_that_makes_no_sense_is_refused_before_anything_runs(engine: Engine, text: str, problem: str) -> None:
    with Session(engine) as session, pytest.raises(LanguageError, match=problem):
        aw.eal(text)(parcel(session))


def test_a_query_ends_when_a_method_in_python_changes_the_model(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(HasEffects, match="sneak has changed the model"):
        app.evaluate(session, "self.sneak + 1", parcel(session))


@pytest.mark.parametrize("text", ["self.endless", "self.fibonacci(60)"])
def test_recursion_without_end_ends_with_an_error(engine: Engine, text: str) -> None:
    with Session(engine) as session, pytest.raises(TooMuch):
        app.evaluate(session, text, parcel(session))


def test_a_ticket_asked_for_by_a_text_has_arguments_a_priority_and_a_time(engine: Engine) -> None:
    world = World(engine, Base)
    with world.session() as session, session.begin():
        one = Parcel()
        session.add(one)
        for work in (one.ask, one.ask_by_variable, one.put_off):
            aw.later(work)
    world.run()

    with world.session() as session:
        assert session.scalars(select(Parcel.log)).one() == "Decimal('12') broken Decimal('12') none "
        tickets = session.scalars(select(SysAsyncTicket).order_by(SysAsyncTicket.id)).all()
        by_work = {ticket.view_model: ticket for ticket in tickets}
        assert [t.priority for t in tickets if t.view_model == "Parcel.refund"] == [2, None]
        assert by_work["Parcel.send"].execute_earliest is not None


def test_arguments_are_checked_in_the_run_if_the_name_is_known_only_there(engine: Engine) -> None:
    with Session(engine) as session, pytest.raises(BadArguments, match="amount wants a Decimal"):
        aw.eal("let n = 'refund' in self.DoAsync(n, 'x')")(parcel(session))


def test_a_static_method_has_no_options_of_works() -> None:
    with pytest.raises(BadDeclaration, match="Leave out the options"):
        aw.method(lane="x")(staticmethod(lambda: 5))  # type: ignore[arg-type]


FILE = """
[methods."Order.price"]
parameters = [{ name = "count", type = "Integer" }, { name = "more", type = "Integer", default = 0 }]
result = "Integer"
value = "self.amount * count + more"

[methods."Customer.standard"]
static = true
result = "Integer"
do = "5"

[queries."Order.both"]
value = "self.price(2) + Customer.standard"
"""


def test_a_file_of_jobs_has_methods_with_parameters_results_and_static_ones(load: Load) -> None:
    app = load(FILE)
    order: Any = app.model.classes["Order"].class_

    assert order(amount=4).price(2, more=1) == 9
    assert order(amount=4).both == 13


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (('type = "Integer" }, {', 'type = "Integr" }, {'), "line 3: Order.price, count: there is no type Integr. Did"),
        (('result = "Integer"\nvalue', 'result = "String"\nvalue'), "Its result is declared as String, and this is"),
        (("* count", "* conut"), r"There is no conut here. Did you mean count"),
        (("static = true", "static = true\nlane = 'x'"), "it is static, so texts call it and nothing starts it"),
    ],
)
def test_a_file_with_a_wrong_signature_is_refused_with_the_place(
    load: Load, change: tuple[str, str], problem: str
) -> None:
    with pytest.raises(BadDeclaration, match=problem):
        load(FILE.replace(*change))


def test_a_text_that_can_not_run_is_told_with_its_place_when_the_model_is_read() -> None:
    base = a_base()

    class Letter(base):  # type: ignore[valid-type, misc]
        __tablename__ = "letter"
        id: Mapped[int] = mapped_column(primary_key=True)
        stamps: Mapped[int] = mapped_column(default=0)
        total = aw.derived(stamps)(aw.ocl("self.stmaps"))
        stamp = aw.method(precondition=aw.ocl("self.stmaps = 0"))(aw.eal("self.stmaps := 1"))
        many = property(aw.ocl("self.stmaps > 1"))

    class See(aw.ViewModel, root=Letter):
        when = aw.Every(minutes=1, criteria=aw.ocl("Letter.allInstances->select(stmaps = 1)"))
        see = aw.action(enabled=aw.ocl("self.stmaps = 0"))(aw.eal("self.stmaps := 1"))

    with pytest.raises(ModelError) as refused:
        _ = aw.Afterwork(base).model

    places = [problem.partition(": Line 1, column")[0] for problem in refused.value.problems]
    assert sorted(places) == sorted(
        [
            "Letter.total",
            "Letter.stamp",
            "The precondition of Letter.stamp",
            "Letter.many",
            "See.see",
            "The enabled of See.see",
            "The criteria of See",
        ]
    )


class Flow(StateChart[Any]):
    first = State(initial=True)
    last = State(final=True)
    end = first.to(last)


def test_a_column_that_can_not_hold_the_states_is_refused() -> None:
    base = a_base()

    class Letter(base):  # type: ignore[valid-type, misc]
        __tablename__ = "letter"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[int | None] = mapped_column()
        flow = aw.machine(Flow, state=state)

    with pytest.raises(ModelError, match=r"Letter.state is its state, and Integer\(\) can't hold 'first'"):
        _ = aw.Afterwork(base).model

"""Each declaration works, or is refused where it is made or when the model is read: with words that say what to do."""

import functools
import gc
import types
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
    synonym,
)

import afterwork as aw
from afterwork.errors import AfterworkError, BadDeclaration, ModelError
from tests.model.declared import ODD, Chart, Made, act, expressed, failing, for_many, model, needs_two, plain
from tests.typing import own_tickets

MARKS: dict[str, Callable[[Any], Made]] = {
    "@aw.method": lambda odd: model({"f": aw.method(odd)}),
    "@aw.method()": lambda odd: model({"f": aw.method(lane=None)(odd)}),
    "precondition": lambda odd: model({"f": aw.method(precondition=odd)(plain)}),
    ".many": lambda odd: model(for_many(odd)),
    "@aw.derived": lambda odd: model({"f": aw.derived("n")(odd)}),
    "@aw.derived of": lambda odd: model({"f": aw.derived(odd)(plain)}),
    ".expression": lambda odd: model(expressed(odd)),
    "@aw.action": lambda odd: model({}, {"f": aw.action(odd)}),
    "enabled": lambda odd: model({}, {"f": aw.action(enabled=odd)(plain)}),
    "@aw.column": lambda odd: model({}, {"c": aw.column(odd), "f": act()}),
    "@aw.on_exception": lambda odd: model({}, {"f": aw.action(failing), "h": aw.on_exception(odd)}),
    "criteria": lambda odd: model({}, {"f": act(), "when": aw.Every(minutes=1, criteria=odd)}),
    "before": lambda odd: model({}, {"f": act(), "where": {"root": None}, "when": aw.Every(minutes=1, before=odd)}),
    "backoff": lambda odd: model({"f": aw.method(retry=aw.Retry(attempts=2, backoff=odd))(failing)}),
    "retry on": lambda odd: model({"f": aw.method(retry=aw.Retry(attempts=2, on=odd))(failing)}),
    "on_event": lambda odd: model(on_event=odd),
    "clock": lambda odd: model(clock=odd),
    "settings": lambda odd: model(settings=odd),
    "lanes": lambda odd: model(lanes=odd),
    "variables": lambda odd: model(variables=odd),
    "root": lambda odd: model({}, {"f": act(), "where": {"root": odd}}),
    "when of a view model": lambda odd: model({}, {"f": act(), "when": odd}),
    "retry of a view model": lambda odd: model({}, {"f": act(), "retry": odd}),
    "lane of a view model": lambda odd: model({}, {"f": act(), "lane": odd}),
    "timeout of a view model": lambda odd: model({}, {"f": act(), "timeout": odd}),
    "external of a view model": lambda odd: model({}, {"f": act(), "external": odd}),
    "when of a method": lambda odd: model({"f": aw.method(when=odd)(plain)}),
    "retry of a method": lambda odd: model({"f": aw.method(retry=odd)(plain)}),
    "lane of a method": lambda odd: model({"f": aw.method(lane=odd)(plain)}),
    "timeout of a method": lambda odd: model({"f": aw.method(timeout=odd)(plain)}),
    "external of a method": lambda odd: model({"f": aw.method(external=odd)(plain)}),
    "lane of a timer": lambda odd: model({}, {"f": act(), "when": aw.Every(minutes=1, lane=odd)}),
    "chart": lambda odd: model({"f": aw.machine(odd, state="state")}),
    "state of a machine": lambda odd: model({"f": aw.machine(Chart, state=odd)}),
    "@aw.track_history": lambda odd: model({"f": aw.track_history(odd)}),
    "aw.ocl": lambda odd: model({"f": aw.method(precondition=aw.ocl(odd))(plain)}),
    "aw.eal": lambda odd: model({"f": aw.method(aw.eal(odd))}),
}

CALLED = ("precondition", "enabled", "backoff", "criteria", "before", "on_event")
"""Places of any callable; the others of a function, or of something else altogether."""

WORKS: dict[str, set[str]] = {
    **{place: {"lambda", "staticmethod", "partial", "object", "builtin"} for place in CALLED},
    "@aw.method": {"lambda", "needs two", "needs a keyword", "staticmethod"},
    "@aw.method()": {"lambda", "needs two", "needs a keyword"},
    "@aw.derived": {"lambda"},
    "@aw.action": {"lambda"},
    "@aw.column": {"lambda", "generator"},
    "@aw.on_exception": {"needs two"},
    ".many": {"lambda", "staticmethod"},
    ".expression": {"lambda", "staticmethod", "classmethod"},
    "lane of a view model": {"text"},
    "lane of a method": {"text"},
    "aw.ocl": {"text"},
    "aw.eal": {"text"},
}
"""The odd things that are none in a place. Everything else is refused."""

WORKS["criteria"] |= {"takes nothing", "class"}


def outcome(made: Callable[[], Made], engine: Engine) -> str:
    """Whether a declaration works, as far as one can tell without running it, or how it is refused."""
    try:
        thing, app = made()
        assert app.model
    except AfterworkError:
        return "refused"
    with engine.begin() as connection:
        thing.metadata.create_all(connection)
        app.install(connection)
        thing.metadata.drop_all(connection)
        app.uninstall(connection, force=True)
    return "works"


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path_factory.mktemp('declared') / 'scratch.db'}")
    yield made
    made.dispose()


@pytest.mark.parametrize("mark", sorted(MARKS))
def test_what_can_not_be_declared_is_refused(mark: str, scratch: Engine) -> None:
    found = {name: outcome(lambda odd=odd: MARKS[mark](odd()), scratch) for name, odd in ODD.items()}  # type: ignore[misc]

    assert {name for name, ended in found.items() if ended == "works"} == WORKS.get(mark, set())


# What is written together, or in the wrong place.


def thing_with(**body: Any) -> Callable[[], Made]:
    return lambda: model(body)


def work_with(**body: Any) -> Callable[[], Made]:
    return lambda: model({}, dict(body))


def calculated() -> Made:
    thing, app = model({"f": aw.derived("twice")(plain)})
    thing.twice = column_property(thing.n * 2)
    return thing, app


def one() -> Any:
    return aw.column(plain)


def needs_session(self: Any, session: Session) -> None: ...


def needs_nowhere(self: Any, what: "Nowhere") -> None: ...  # type: ignore[name-defined]  # noqa: F821


def needs_missing(self: Any, what: "Session.Missing") -> None: ...  # type: ignore[name-defined]


def has_one(self: Any, session: Session | None = None) -> None: ...


def decorated(marked: Any) -> Any:
    @functools.wraps(marked)
    def wrapper(self: Any) -> Any:
        return marked(self)

    return wrapper


HIDDEN: dict[str, Callable[[Any], Any]] = {
    "classmethod": classmethod,
    "staticmethod": staticmethod,
    "property": property,
    "cached_property": functools.cached_property,
    "hybrid_property": hybrid_property,
    "function": decorated,
}
"""Decorators that hide what is marked below them, by what they make of it."""

REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a member that is not there": (
        thing_with(f=aw.derived("nn")(plain)),
        r"'nn' is no column of Thing. Did you mean n\?",
    ),
    "a member that is the key": (thing_with(f=aw.derived("id")(plain)), "must not change"),
    "a member that has the name of its function": (thing_with(n=aw.derived("n")(plain)), "is no column"),
    "a member of two functions": (thing_with(f=aw.derived("n")(plain), g=aw.derived("n")(plain)), "by 2 functions"),
    "a relationship": (
        thing_with(parent=relationship("Thing", remote_side="Thing.id"), f=aw.derived("parent")(plain)),
        "'parent' is no column",
    ),
    "a synonym": (thing_with(nn=synonym("n"), f=aw.derived("nn")(plain)), "'nn' is no column"),
    "a property": (thing_with(q=property(plain), f=aw.derived("q")(plain)), "'q' is no column"),
    "a column property": (calculated, "calculated by the database"),
    "a derived member without its name": (lambda: aw.derived(plain), r"name its member: @aw.derived\(total\)"),  # type: ignore[call-overload]
    "two expressions": (
        lambda: [
            method := aw.derived("n")(plain),
            method.expression(lambda cls: cls.m),
            method.expression(lambda cls: cls.n),
        ],
        "has an expression already",
    ),
    "two machines on a column": (
        thing_with(f=aw.machine(Chart, state="state"), g=aw.machine(Chart, state="state")),
        "Give each a column",
    ),
    "a machine on a derived member": (
        thing_with(f=aw.machine(Chart, state="state"), g=aw.derived("state")(plain)),
        "Give each a column",
    ),
    "a machine on a misspelt column": (
        thing_with(f=aw.machine(Chart, state="stat")),
        r"the machine f: 'stat' is no column of Thing. Did you mean state\? Give the one that has its state",
    ),
    "a machine on a relationship": (
        thing_with(parent=relationship("Thing", remote_side="Thing.id"), f=aw.machine(Chart, state="parent")),
        "'parent' is no column",
    ),
    "an action in a mapped class": (thing_with(f=act()), "Thing.f: @aw.action is for view models"),
    "a column in a mapped class": (thing_with(f=one()), "Thing.f: @aw.column is for view models"),
    "a handler in a mapped class": (thing_with(f=aw.on_exception(needs_two)), "Thing.f: @aw.on_exception is for view"),
    "a variable in a mapped class": (thing_with(f=aw.variable()), "Thing.f: aw.variable is for view models"),
    "a method in a view model": (work_with(f=aw.method(plain)), "Work.f: @aw.method is for mapped classes"),
    "a derived member in a view model": (work_with(f=aw.derived("n")(plain)), "Work.f: @aw.derived is for mapped"),
    "a machine in a view model": (work_with(f=aw.machine(Chart, state="s")), "Work.f: aw.machine is for mapped"),
    "an action named session_of_run": (work_with(session_of_run=act()), "Work.session_of_run: each view model has"),
    "a column named error_text": (work_with(error_text=one()), "Work.error_text: each view model has this name"),
    "a variable named handle": (work_with(handle=aw.variable()), "Work.handle: each view model has this name"),
    "two handlers": (work_with(f=aw.on_exception(needs_two), g=aw.on_exception(needs_two)), "One is enough"),
    "an initialiser that needs more": (work_with(__init__=lambda self, root, more: None), "called with self and root"),
    "a view model without an action": (work_with(f=plain), "Work has no @aw.action, so a run of it would do nothing"),
    "a view model of no root without an action": (
        work_with(f=plain, where={"root": None}),
        "Work has no @aw.action, so a run of it would do nothing",
    ),
    "a timer without an action": (work_with(f=plain, when=aw.Every(minutes=1)), "Work has no @aw.action"),
    "a parameter that no ticket can keep": (
        thing_with(f=aw.method(needs_session)),
        "Thing.f: session is annotated with",
    ),
    "a parameter of an unknown class": (
        thing_with(f=aw.method(needs_nowhere)),
        "Thing.f: the annotation of what, 'Nowhere', can't be resolved",
    ),
    "a parameter of a class that is not there": (
        thing_with(f=aw.method(needs_missing)),
        "the annotation of what, 'Session.Missing', can't be resolved",
    ),
    **{
        f"a {mark} below a {name}": (declared, f"{where}.f: {name} stands above {mark}, and hides it")
        for name, hide in HIDDEN.items()
        for mark, where, declared in (
            ("@aw.method", "Thing", thing_with(f=hide(aw.method(plain)))),
            ("@aw.derived", "Thing", thing_with(f=hide(aw.derived("n")(plain)))),
            ("@aw.action", "Work", work_with(f=hide(act()), g=act())),
        )
    },
    "a way to start that was not called": (work_with(f=act(), when=aw.WhenStale), r"Call it: aw.WhenStale\(…\)"),
    "a root that is a name": (lambda: types.new_class("W", (aw.ViewModel,), {"root": "Thing"}), "Give a mapped class"),
    "a base that is metadata": (lambda: aw.Afterwork(MetaData()), "is no declarative base"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_makes_no_sense_is_refused_with_its_place(what: str) -> None:
    declared, said = REFUSED[what]

    with pytest.raises((BadDeclaration, ModelError), match=said):
        match declared():
            case _, aw.Afterwork() as app:
                assert app.model


@pytest.mark.parametrize("abstract", [True, False], ids=["abstract class", "mixin"])
def test_a_mixin_may_have_all_that_a_class_has(abstract: bool, scratch: Engine) -> None:
    def made() -> Made:
        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        members = {
            "__annotations__": {"n": Mapped[int], "state": Mapped[str | None]},
            "n": (column := mapped_column(default=0)),
            "state": mapped_column(),
            "act": aw.method(plain),
            "compute_n": aw.derived(column)(plain),
            "flow": aw.machine(Chart, state="state"),
        }
        metaclass: Any = type(Base)
        mixin: Any = metaclass("A", (Base,), {"__abstract__": True, **members}) if abstract else type("M", (), members)
        key = {"__tablename__": "thing", "id": mapped_column(primary_key=True), "__annotations__": {"id": Mapped[int]}}
        Thing = metaclass("Thing", (mixin,) if abstract else (mixin, Base), key)
        app = aw.Afterwork(Base, variables={"held": [SysAsyncTicket, mixin]})
        assert {"Thing.act", "Thing.flow.go"} <= app.model.works.keys()
        assert "Thing.n" in app.model.derivations
        return Thing, app

    gc.collect()  # view models without a root that other tests have made are of this model, too
    assert outcome(made, scratch) == "works"


def test_a_method_has_the_name_under_which_its_class_has_it(tmp_path: Path) -> None:
    gc.collect()  # view models of other models have no root
    thing, app = model({"act": aw.method(plain)})
    engine = create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    thing.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(obj := thing())
        aw.later(obj.act)

    assert [(ended.run.work, ended.outcome) for ended in app.run_until_idle(engine)] == [("Thing.act", aw.Succeeded())]


def test_a_parameter_with_a_default_may_be_of_any_class() -> None:
    _, app = model({"f": aw.method(has_one)})

    assert "Thing.f" in app.model.works


def test_an_expression_may_be_a_class_method_or_have_the_name_of_its_function() -> None:
    def compute(cls: Any) -> Any:
        return cls.m

    member: Any = aw.derived("n")(plain)
    assert member.expression(classmethod(compute)) is not member
    compute.__name__ = "plain"
    again: Any = aw.derived("n")(plain)

    assert again.expression(compute) is again
    assert member.in_sql is again.in_sql is compute


# A model that is gone.


def test_a_model_whose_classes_nobody_holds_says_so() -> None:
    def made() -> aw.Afterwork:
        class Base(DeclarativeBase): ...

        class SysAsyncTicket(aw.AsyncTicket, Base): ...

        return aw.Afterwork(Base)

    app = made()
    gc.collect()

    with pytest.raises(ModelError, match=r"No class is mapped to sys_async_ticket.*nobody holds it any more"):
        assert app.model


def test_a_model_without_any_class_says_so() -> None:
    class Base(DeclarativeBase): ...

    with pytest.raises(ModelError, match=r"no mapped classes at all. Import the modules"):
        assert aw.Afterwork(Base).model


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("workers", "4"),
        ("workers", 0),
        ("workers", True),
        ("batch", 2.5),
        ("grace", 30),
        ("grace", timedelta(-1)),
        ("listen", "no"),
        ("lanes", "main"),
        ("lanes", [1]),
        ("lanes", 5),
        ("only", 5),
        ("except_lanes", True),
        ("max_memory", "2G"),
        ("timeout", 5),
    ],
)
def test_a_setting_of_a_wrong_type_is_named(name: str, value: Any) -> None:
    with pytest.raises(BadDeclaration, match=f"{name}"):
        model(settings=aw.Settings(**{name: value}))


def test_a_model_may_name_the_class_of_its_tickets(tmp_path: Path) -> None:
    app = aw.Afterwork(own_tickets.Base)
    engine = create_engine(f"sqlite:///{tmp_path / 'invoices.db'}")
    own_tickets.Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add(invoice := own_tickets.Invoice())
        aw.later(invoice.send).tenant = 7
        assert type(aw.later(own_tickets.Archive(invoice))) is own_tickets.SysAsyncTicket

    assert [ended.run.work for ended in app.run_until_idle(engine)] == ["Invoice.send", "Archive"]

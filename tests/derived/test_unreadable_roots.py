"""A root that can't be loaded, whatever the reason, is the trouble of its own value, view model, machine and tickets.
Each of them has failed and says so, all others go on, and once the root is mended, its caches are right."""

import enum
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Engine, Enum, Integer, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, column_property, mapped_column, reconstructor
from sqlalchemy.types import TypeDecorator
from statemachine import State, StateChart

import afterwork as aw
from tests.derived.stale_scene import Scene


class Shade(enum.Enum):
    LIGHT = 1
    DARK = 2


class Picky(TypeDecorator[int]):
    """Refuses to read one number."""

    impl = Integer
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Any) -> Any:
        if value == 13:
            raise RuntimeError("this is not to be read")
        return value


@dataclass(frozen=True)
class Case:
    """What makes a shop bad, and good again."""

    bad: str
    good: str


CASES = {
    "unknown value of an enumeration": Case("shade = 'HUGE'", "shade = 'LIGHT'"),
    "unknown identity of a class": Case("kind = 'kiosk'", "kind = 'shop'"),
    "a type that raises": Case("odd = 13", "odd = 1"),
    "a reconstructor that raises": Case("number = 77", "number = 1"),
    "a load event that raises": Case("number = 66", "number = 1"),
    "an expression that the database refuses": Case("odd = 0", "odd = 1"),
}


class Growing(StateChart[Any]):
    """Goes where the number of its shop leads."""

    small = State(initial=True)
    large = State()
    small.to(large, cond="has_many")
    large.to(small, cond="has_few")

    def has_many(self, model: Any) -> bool:
        return bool(model.n >= 10)

    def has_few(self, model: Any) -> bool:
        return bool(model.n < 10)


SHOPS = range(1, 6)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Shop(Base):
    __tablename__ = "shop"
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "shop"}
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(default="shop")
    shade: Mapped[Any] = mapped_column(Enum(Shade, native_enum=False, create_constraint=False, length=9))
    odd: Mapped[Any] = mapped_column(Picky)
    number: Mapped[int]
    n: Mapped[int]
    twice: Mapped[int | None] = mapped_column()
    seen: Mapped[int | None]
    state: Mapped[str | None] = mapped_column()
    asked: Mapped[int] = mapped_column(default=0)
    flow = aw.machine(Growing, state=state)

    @reconstructor
    def made(self) -> None:
        if self.__dict__.get("number") == 77:
            raise ValueError("it does not want to be loaded")

    @aw.derived(twice)
    def compute_twice(self) -> int:
        return self.n * 2

    @aw.method
    def ask(self) -> None:
        self.asked += 1

    @aw.method(external=True)
    def ask_outside(self) -> None:
        self.asked += 1


@event.listens_for(Shop, "load")
def loaded(shop: Any, context: Any) -> None:
    if shop.number == 66:
        raise LookupError("a listener does not want it")


class Seeing(aw.ViewModel[Shop]):
    when = aw.WhenStale()

    @aw.action
    def see(self) -> None:
        self.root.seen = self.root.n

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.seen = -1


class Asking(aw.ViewModel[Shop]):
    @aw.action
    def ask(self) -> None:
        self.root.asked += 1


Shop.part = column_property(1 / Shop.__table__.c.odd)


def five_shops(engine: Engine) -> None:
    values = "(id, kind, shade, odd, number, n, asked)"
    with engine.begin() as connection:
        for number in SHOPS:
            connection.execute(text(f"INSERT INTO shop {values} VALUES ({number}, 'shop', 'LIGHT', 1, 1, 1, 0)"))
    aw.Afterwork(Base).run_until_idle(engine)


WORKS = "Shop.twice", "Seeing", "Shop.flow"


def everything(scene: Scene) -> dict[int, tuple[Any, ...]]:
    """What the shops have come to: value, view model, machine."""
    with scene.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id, twice, seen, state FROM shop ORDER BY id").all()
    return {row[0]: tuple(row[1:]) for row in rows}


def failed(scene: Scene, name: str) -> list[str]:
    """The shops whose caches have failed, as the command line and the page show them."""
    return [one.root_id for one in scene.app.insight(scene.engine).caches_of(name, "failed").items]


@pytest.fixture
def scene(engine: Engine) -> Scene:
    """Shops 1 to 5, each with a value, a view model that is a cache, and a machine."""
    found = Scene(engine, Base, first=five_shops)
    assert everything(found) == dict.fromkeys(SHOPS, (2, 1, "small"))
    return found


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, engine: Engine) -> Case:
    if "refuses" in request.param and engine.dialect.name == "sqlite":
        pytest.skip("divides by nought")
    return CASES[request.param]


def test_caches_of_a_root_that_can_not_be_loaded_fail_alone(engine: Engine, case: Case, scene: Scene) -> None:
    scene.sql("UPDATE shop SET n = 10", f"UPDATE shop SET {case.bad} WHERE id = 2")
    scene.run()

    right = {number: (20, 10, "large") for number in SHOPS if number != 2}
    assert everything(scene) == {**right, 2: (2, 1, "small")}
    for name in WORKS:
        (line,) = scene.app.insight(engine).caches_of(name, "failed").items
        assert line.root_id == "Shop!2"
        explained = scene.app.insight(engine).explain("Shop!2", name.removeprefix("Shop."))
        assert (explained.state, explained.error) == ("failed", line.error)
        assert line.error
        assert "on_exception" not in line.error
    assert scene.is_quiet()
    assert scene.runs() == []
    scene.sql("UPDATE shop SET n = 11 WHERE id <> 2")  # as small changes at once, too
    scene.run()
    assert {number: found[:2] for number, found in everything(scene).items() if number != 2} == dict.fromkeys(
        (1, 3, 4, 5), (22, 11)
    )
    scene.sql(f"UPDATE shop SET {case.good} WHERE id = 2")
    scene.run()
    assert everything(scene)[2] == (20, 10, "large")
    assert [failed(scene, name) for name in WORKS] == [[], [], []]


@pytest.mark.parametrize("work", ["Shop.ask", "Shop.ask_outside", "Asking"])
def test_a_ticket_of_a_root_that_can_not_be_loaded_ends_alone_with_the_error(
    engine: Engine, case: Case, scene: Scene, work: str
) -> None:
    scene.sql(f"UPDATE shop SET {case.bad} WHERE id = 2")

    with scene.session() as session, session.begin():
        session.add_all(SysAsyncTicket(view_model=work, root_id=f"Shop!{number}") for number in SHOPS)
    scene.run()

    asked = "SELECT id FROM shop WHERE asked = 1 ORDER BY id"
    with engine.connect() as connection:
        assert list(connection.exec_driver_sql(asked).scalars()) == [1, 3, 4, 5]
    ended = {ticket.root_id: ticket for ticket in scene.all(SysAsyncTicket)}
    assert all(ticket.done for ticket in ended.values())
    assert [root for root, ticket in ended.items() if ticket.error] == ["Shop!2"]

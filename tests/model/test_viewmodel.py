"""View models: actions from top to bottom, on a root or on none, and what becomes of an exception."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import BadDeclaration, ModelError
from tests.support.garbage import collected
from tests.support.world import World, errors, the_only, works


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")


class BigOrder(Order):
    """Shares the table."""


class Pack(aw.ViewModel[Order]):
    """Written out of alphabetical order, as the actions run in the order in which they stand."""

    @aw.column
    def label(self) -> str:
        return f"order {self.root.id}"

    @aw.action
    def wrap(self) -> None:
        self.root.log += f"wrap {self.label}, "

    @aw.action(enabled=lambda self: "fragile" in self.root.log)
    def pad(self) -> None:
        self.root.log += "pad, "

    @aw.action
    def address(self) -> None:
        self.root.log += "address"

    def helper(self) -> None:
        raise AssertionError("not an action")


class GiftPack(Pack):
    """Overrides one action in its place, and has one more after the others."""

    @aw.action
    def wrap(self) -> None:
        self.root.log += "gift wrap, "

    @aw.action
    def card(self) -> None:
        self.root.log += ", card"


class Spelled(aw.ViewModel, root=Order):
    @aw.action
    def act(self) -> None:
        self.root.log += "spelled"


class Falls(aw.ViewModel[Order]):
    @aw.action
    def first(self) -> None:
        self.root.log += "never saved"
        aw.session(self.root).flush()

    @aw.action
    def then(self) -> None:
        raise ValueError("fell")

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        assert isinstance(error, ValueError)
        self.root.log += f"caught {self.error_text.partition(' (')[0]}"


class FallsTwice(Falls):
    @aw.on_exception
    def failed(self, error: Exception) -> None:
        self.root.log += "not saved either"
        raise KeyError("again")


class Nightly(aw.ViewModel[None], model=Base):
    @aw.action
    def count(self) -> None:
        assert self.root is None
        Nightly.ran.append(aw.current_run().work)

    ran: list[str] = []


class External(aw.ViewModel[Order]):
    external = True
    lane = "outside"

    @aw.action
    def call(self) -> None:
        self.root.log += "called"


class ExternalFalls(Falls):
    external = True

    @aw.action
    def first(self) -> None:
        self.root.log += "never saved"


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine, Base)


def run_on_an_order(world: World, *names: str, log: str = "") -> str:
    """What an order's log says after these view models."""
    with world.session() as session, session.begin():
        order = BigOrder(log=log)
        session.add(order)
        session.add_all(SysAsyncTicket(view_model=name, root_object=order) for name in names)
    world.run()
    return str(the_only(world.engine, Order).log)


def test_actions_run_from_top_to_bottom_and_the_disabled_are_skipped(world: World) -> None:
    assert run_on_an_order(world, Order.ViewModels.Pack) == "wrap order 1, address"


def test_whether_an_action_is_enabled_is_asked_when_its_turn_comes(world: World) -> None:
    assert run_on_an_order(world, "Pack", log="fragile, ") == "fragile, wrap order 1, pad, address"


def test_an_overridden_action_keeps_its_place_and_new_ones_come_after(world: World) -> None:
    assert run_on_an_order(world, "GiftPack") == "gift wrap, address, card"
    assert list(GiftPack.actions) == ["wrap", "pad", "address", "card"]


def test_the_root_can_be_given_in_two_ways(world: World) -> None:
    assert run_on_an_order(world, "Spelled") == "spelled"


def test_nothing_of_a_run_that_raised_is_saved_and_on_exception_is_told(world: World) -> None:
    assert run_on_an_order(world, "Falls") == "caught ValueError: fell"

    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert error.startswith("ValueError: fell (test_viewmodel.py:")


def test_an_on_exception_that_raises_saves_nothing_and_both_are_told(world: World) -> None:
    assert run_on_an_order(world, "FallsTwice") == ""

    (error,) = errors(world.engine, SysAsyncTicket)
    assert error is not None
    assert error.startswith("ValueError: fell")
    assert "on_exception raised, too: KeyError: 'again'" in error


def test_an_outside_run_tells_its_on_exception_too(world: World) -> None:
    assert run_on_an_order(world, "ExternalFalls", "External") == "caught ValueError: fellcalled"


def test_a_view_model_without_a_root_runs_on_none(world: World) -> None:
    Nightly.ran.clear()
    with world.session() as session, session.begin():
        session.add(SysAsyncTicket(view_model="Nightly"))
        session.add(SysAsyncTicket(view_model="Nightly", root_object=Order()))

    world.run()

    assert Nightly.ran == ["Nightly"]
    assert errors(world.engine, SysAsyncTicket) == [
        None,
        "Nightly has no root, but the ticket's RootId names a Order.",
    ]


def test_a_view_model_can_be_asked_for_with_its_root(world: World) -> None:
    with world.session() as session, session.begin():
        order = Order()
        session.add(order)
        ticket = aw.later(External(order), priority=3)
    assert (ticket.view_model, ticket.lane, ticket.priority) == ("External", "outside", 3)

    assert works(world.run()) == [("External", "Order!1")]


def test_a_view_model_can_be_used_from_python(world: World) -> None:
    view = Pack(Order(id=7, log=""))
    view.wrap()

    assert view.label == "order 7"
    assert view.root.log == "wrap order 7, "


def test_the_constants_list_all_view_models() -> None:
    assert sorted(Order.ViewModels) == [
        "External",
        "ExternalFalls",
        "Falls",
        "FallsTwice",
        "GiftPack",
        "Pack",
        "Spelled",
    ]
    with pytest.raises(AttributeError, match=r"Order has no view model Pakc\. It has: External, "):
        _ = Order.ViewModels.Pakc


def test_two_handlers_are_one_too_many() -> None:
    with pytest.raises(BadDeclaration, match=r"marks 2 functions with @aw.on_exception"):

        class Twice(aw.ViewModel[Order]):
            @aw.on_exception
            def one(self, error: Exception) -> None: ...

            @aw.on_exception
            def two(self, error: Exception) -> None: ...


def test_an_action_that_needs_arguments_is_refused() -> None:
    with pytest.raises(BadDeclaration, match=r"@aw.action on .*act: it needs amount"):

        @aw.action  # type: ignore[arg-type]
        def act(self: Any, amount: int) -> None: ...


def own_model() -> Any:
    class Own(DeclarativeBase):
        pass

    Own.classes = [
        type("SysAsyncTicket", (aw.AsyncTicket, Own), {"__module__": __name__}),
    ]
    return Own


@pytest.fixture
def passing() -> Iterator[list[Any]]:
    """Classes of one test: gone at its end, so that no other model meets them."""
    kept: list[Any] = []
    with collected():
        yield kept
        kept.clear()


def test_a_root_that_is_not_mapped_is_refused(passing: list[Any]) -> None:
    class Plain:
        pass

    passing.append(type("Lost", (aw.ViewModel,), {"act": aw.action(lambda self: None)}, root=Plain))

    with pytest.raises(ModelError, match="View model Lost: its root Plain is no mapped class"):
        _ = aw.Afterwork(own_model()).model


def test_a_root_that_is_a_mixin_of_another_model_is_none_of_this_models_business(passing: list[Any]) -> None:
    class Shared:
        __tablename__ = "shared"
        id: Mapped[int] = mapped_column(primary_key=True)

    one, other = own_model(), own_model()
    passing.append(type("User", (Shared, one), {"__module__": __name__}))
    passing.append(type("OnShared", (aw.ViewModel,), {"act": aw.action(lambda self: None)}, root=Shared))

    assert "OnShared" in aw.Afterwork(one).model.works
    assert "OnShared" not in aw.Afterwork(other).model.works


def test_two_view_models_of_one_name_are_refused(passing: list[Any]) -> None:
    own = own_model()
    for module in ("one", "two"):
        members = {"act": aw.action(lambda self: None), "__module__": module}
        passing.append(type("Same", (aw.ViewModel,), members, model=own))

    with pytest.raises(ModelError, match="2 view models are named Same"):
        _ = aw.Afterwork(own).model


def test_an_unrooted_view_model_of_another_base_is_not_this_ones(passing: list[Any]) -> None:
    one, other = own_model(), own_model()
    passing.append(type("OfOne", (aw.ViewModel,), {"act": aw.action(lambda self: None)}, model=one))

    assert "OfOne" in aw.Afterwork(one).model.works
    assert "OfOne" not in aw.Afterwork(other).model.works


def test_the_effects_of_actions_are_there_when_the_ticket_is_done(world: World) -> None:
    """One transaction: who sees the one, sees the other."""
    run_on_an_order(world, "Pack")

    with world.session() as session:
        both = select(Order.log, SysAsyncTicket.done).join(SysAsyncTicket, SysAsyncTicket.root_id == "BigOrder!1")
        seen = session.execute(both).one()
    assert (seen.log, seen.done) == ("wrap order 1, address", world.clock.now())

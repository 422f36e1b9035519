"""Which way each value goes, and why: told by the command line and by `explain`. Both ways end at the same values."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from sqlalchemy import Engine, delete, func, insert, select, text, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.cli.caches import cache_lines
from afterwork.errors import NotCaptured
from afterwork.store.journal.tables import journal, touch
from tests.inversion.mixed import WHY_NOT, Base, Box, Shelf
from tests.inversion.scene import rows_of
from tests.properties.conftest import examples


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base, clock=aw.ManualClock())
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(insert(rows_of(Shelf)), [{"id": 1}, {"id": 2}])
        connection.execute(insert(rows_of(Box)), [{"id": 1, "shelf_id": 1, "weight": 5}])
    app.run_until_idle(engine)
    return app


def count(engine: Engine, table: object) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[arg-type]


def test_it_is_told_which_values_are_refreshed_in_sets_and_why_the_others_are_not(
    app: aw.Afterwork, engine: Engine
) -> None:
    caches = {cache.name: cache for cache in app.insight(engine).caches()}
    assert [name for name, cache in caches.items() if cache.is_in_sets] == ["Shelf.weight"]
    reasons = {name: cache.why_not_in_sets for name, cache in caches.items() if cache.why_not_in_sets}
    assert reasons.keys() == WHY_NOT.keys()
    for name, part in WHY_NOT.items():
        assert part in (reasons[name] or ""), name


def test_the_command_line_shows_both_ways_and_each_reason(app: aw.Afterwork, engine: Engine) -> None:
    lines = list(cache_lines(app.insight(engine).caches(), app.clock.now()))
    rows = {line.split()[0]: line for line in lines}
    assert "in sets" in next(line for line in lines if line.startswith("Shelf.weight "))
    assert "by its reads" in next(line for line in lines if line.startswith("Shelf.said "))
    assert rows["Shelf.first"] == "Shelf.first is not refreshed in sets, since it has a LIMIT."


def test_explain_says_why_a_value_has_a_manifest(app: aw.Afterwork, engine: Engine) -> None:
    with Session(engine) as session:
        shelf = session.get_one(Shelf, 1)
        assert "It is not refreshed in sets, since it has a LIMIT." in str(app.explain(shelf, "first"))
        assert "not refreshed in sets" not in str(app.explain(shelf, "said"))


def test_explain_names_what_has_touched_a_stale_value(app: aw.Afterwork, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(rows_of(Box)).values(weight=7))
    with Session(engine) as session:
        assert "It is to run because rows of box have changed." in str(app.explain(session.get_one(Shelf, 1), "weight"))
    app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(update(rows_of(Shelf)).where(Shelf.id == 1).values(weight=8))
    with Session(engine) as session:
        shown = str(app.explain(session.get_one(Shelf, 1), "weight"))
    assert "It is to run because a row of shelf was changed: weight." in shown


def test_without_manifests_nothing_is_journaled(engine: Engine) -> None:
    from tests.inversion import market

    market.Base.metadata.create_all(engine)
    app = aw.Afterwork(market.Base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(insert(rows_of(market.Order)), [{"id": 1, "customer_id": 1}])
    assert (count(engine, journal), count(engine, touch) > 0) == (0, True)
    with engine.begin() as connection:
        connection.execute(update(rows_of(market.Order)).values(customer_id=2))
        connection.execute(delete(rows_of(market.Order)))
    assert count(engine, journal) == 0


def test_with_manifests_everything_is_journaled(app: aw.Afterwork, engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(update(rows_of(Box)).values(weight=6))
    assert count(engine, journal) == 1


def test_a_model_that_comes_to_need_the_journal_is_not_served_before_it_is_installed(engine: Engine) -> None:
    from tests.inversion import market

    market.Base.metadata.create_all(engine)
    app = aw.Afterwork(market.Base)
    app.install(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM afterwork_route WHERE derivation = 'Region.turnover'"))
    with pytest.raises(NotCaptured, match=r"Region\.turnover can't be kept fresh"):
        app.run_until_idle(engine)
    findings = app.insight(engine).check()
    assert any("does not tell Region.turnover of its changes yet" in finding.what for finding in findings)
    app.install(engine)
    app.run_until_idle(engine)


def test_two_tables_with_the_same_columns_lead_to_a_value_each_by_its_own_route(engine: Engine) -> None:
    class Own(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Own): ...

    class Received(Own):
        __tablename__ = "received"
        id: Mapped[int] = mapped_column(primary_key=True)
        good_id: Mapped[int]
        pieces: Mapped[int]

    class Sold(Own):
        __tablename__ = "sold"
        id: Mapped[int] = mapped_column(primary_key=True)
        good_id: Mapped[int]
        pieces: Mapped[int]

    class Good(Own):
        __tablename__ = "good"
        id: Mapped[int] = mapped_column(primary_key=True)
        stock: Mapped[int] = mapped_column(default=0)

        @aw.derived(stock)
        def compute_stock(self) -> int:
            raise NotImplementedError

        @compute_stock.expression
        def _stock(cls: Any) -> Any:
            received, sold = (
                select(func.coalesce(func.sum(rows.pieces), 0)).where(rows.good_id == cls.id).scalar_subquery()
                for rows in (Received, Sold)
            )
            return received - sold

    Own.metadata.create_all(engine)
    app = aw.Afterwork(Own)
    app.install(engine)
    with Session(engine) as session, session.begin():
        session.add_all([Good(id=1), Received(id=1, good_id=1, pieces=9), Sold(id=1, good_id=1, pieces=2)])
    app.run_until_idle(engine)
    for rows, stock in ((Sold, 6), (Received, 0)):
        with engine.begin() as connection:
            connection.execute(update(rows_of(rows)).values(pieces=3))
        app.run_until_idle(engine)
        with Session(engine) as session:
            assert session.get_one(Good, 1).stock == stock


class Writes(RuleBasedStateMachine):
    """Random writes to shelves and boxes, and a server that runs now and then."""

    app: aw.Afterwork
    engine: Engine

    @initialize()
    def begin(self) -> None:
        with self.engine.begin() as connection:
            for table in (rows_of(Box), rows_of(Shelf)):
                connection.execute(delete(table))
            connection.execute(insert(rows_of(Shelf)), [{"id": 1}, {"id": 2}])

    @rule(key=st.integers(1, 3), shelf=st.none() | st.integers(1, 2), weight=st.integers(0, 3))
    def put(self, key: int, shelf: int | None, weight: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(delete(rows_of(Box)).where(Box.id == key))
            connection.execute(insert(rows_of(Box)).values(id=key, shelf_id=shelf, weight=weight))

    @rule(shelf=st.none() | st.integers(1, 2), weight=st.integers(0, 3))
    def change_all(self, shelf: int | None, weight: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(rows_of(Box)).values(shelf_id=shelf, weight=Box.weight + weight))

    @rule(weight=st.integers(0, 3))
    def overwrite(self, weight: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(update(rows_of(Shelf)).values(weight=weight, first=weight, heaviest=weight))

    @rule()
    def run(self) -> None:
        self.app.run_until_idle(self.engine)

    def teardown(self) -> None:
        clock = self.app.clock
        assert isinstance(clock, aw.ManualClock)
        self.app.run_until_idle(self.engine)
        clock.advance(timedelta(minutes=6))  # for what may be old
        self.app.run_until_idle(self.engine)
        assert self.app.verify(self.engine).differences == []


def test_values_of_both_ways_are_right_whatever_is_written(app: aw.Afterwork, engine: Engine) -> None:
    machine = type("Machine", (Writes,), {"app": app, "engine": engine})
    run_state_machine_as_test(machine, settings=examples(one_in=20))

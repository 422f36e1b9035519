"""Outside runs: no transaction is open while they talk to others, and what they changed is saved at the end."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.world import World, errors, everything, the_only


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    log: Mapped[str] = mapped_column(default="")

    during: ClassVar[Callable[["Parcel"], None]] = staticmethod(lambda parcel: None)
    runs: ClassVar[list[aw.Run]] = []

    @aw.method(external=True)
    def ship(self) -> None:
        Parcel.during(self)
        self.log += "shipped"

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=3, backoff=timedelta(minutes=1)))
    def call(self) -> None:
        Parcel.runs.append(aw.current_run())
        self.log += "never saved"
        raise ConnectionError("no answer")

    @aw.method(external=True)
    def flush(self) -> None:
        self.log += "never saved"
        aw.session(self).flush()

    @aw.method(external=True)
    def commit(self) -> None:
        self.log += "never saved"
        aw.session(self).commit()

    @aw.method(external=True)
    def write(self) -> None:
        aw.session(self).execute(text("UPDATE parcel SET log = 'never saved'"))

    @aw.method(external=True)
    def add_another(self) -> None:
        session = aw.session(self)
        before = session.scalar(select(func.count()).select_from(Parcel))
        session.add(Parcel(log=f"after {before}"))
        aw.later(self.mark)

    @aw.method
    def mark(self) -> None:
        self.log += "marked"

    @aw.method(external=True, precondition=lambda self: self.log == "")
    def once(self) -> None:
        self.log = "once"


@pytest.fixture
def world(engine: Engine) -> World:
    Parcel.runs.clear()
    Parcel.during = staticmethod(lambda parcel: None)
    return World(engine, Base)


def ask(world: World, *names: str) -> list[str | None]:
    with world.session() as session, session.begin():
        for name in names:
            parcel = Parcel()
            session.add(parcel)
            session.flush()
            session.add(SysAsyncTicket(view_model=f"Parcel.{name}", root_object=parcel))
    world.run()
    return errors(world.engine, SysAsyncTicket)


def logs(world: World) -> list[str]:
    return [parcel.log for parcel in everything(world.engine, Parcel)]


def elsewhere(work: Callable[[], None]) -> None:
    """Do something in another thread, and raise here what it raises there."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if raised:
        raise raised[0]


def test_while_it_runs_no_transaction_is_open_and_others_may_write(world: World) -> None:
    """Also to the very row that it has read, and it sees what they wrote when it reads again."""

    def during(parcel: Parcel) -> None:
        session: Any = aw.session(parcel)
        connection = session.connection()

        def change() -> None:
            with world.engine.begin() as other:
                other.execute(text("INSERT INTO parcel (id, log) VALUES (99, 'in between')"))

        elsewhere(change)
        assert session.scalar(select(Parcel.log).where(Parcel.id == 99)) == "in between"
        driver = connection.connection.dbapi_connection
        if world.engine.dialect.name == "sqlite":
            assert not driver.in_transaction
        else:
            assert driver.info.transaction_status.name == "IDLE"

    Parcel.during = staticmethod(during)

    assert ask(world, "ship") == [None]
    assert logs(world) == ["shipped", "in between"]


def test_its_effects_and_its_receipt_are_saved_at_the_end(world: World) -> None:
    def during(parcel: Parcel) -> None:
        parcel.log += "half, "

        def look() -> None:
            assert logs(world) == [""]
            assert the_only(world.engine, SysAsyncTicket).done is None

        elsewhere(look)

    Parcel.during = staticmethod(during)

    assert ask(world, "ship") == [None]
    assert logs(world) == ["half, shipped"]
    assert the_only(world.engine, SysAsyncTicket).done == world.clock.now()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flush", "TransactionIsTheRuns: An external job can't flush"),
        ("commit", "TransactionIsTheRuns: A job can't commit"),
        ("write", ""),
    ],
)
def test_writing_in_the_middle_is_refused(world: World, name: str, said: str) -> None:
    (error,) = ask(world, name)

    assert error is not None
    assert error.startswith(said)
    assert name != "write" or "read" in error
    assert logs(world) == [""]


def test_after_a_refused_write_the_server_writes_as_before(world: World) -> None:
    bad, good = ask(world, "write", "ship")

    assert bad is not None
    assert good is None
    assert logs(world) == ["", "shipped"]


def test_it_may_read_add_and_ask_for_more(world: World) -> None:
    assert ask(world, "add_another") == [None, None]
    assert logs(world) == ["marked", "after 1"]


def test_a_precondition_holds_for_it_too(world: World) -> None:
    with world.session() as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(parcel.once)
        aw.later(parcel.once)

    world.run()

    assert errors(world.engine, SysAsyncTicket) == [None, "The precondition of Parcel.once is false."]


def test_it_is_tried_again_under_the_same_id(world: World) -> None:
    """So that another system can tell a second try from a second request."""
    ask(world, "call")
    for _ in range(3):
        world.clock.advance(timedelta(minutes=1))
        world.run()

    assert [run.attempt for run in Parcel.runs] == [1, 2, 3]
    assert len({run.id for run in Parcel.runs}) == 1
    ticket = the_only(world.engine, SysAsyncTicket)
    assert ticket.attempts == 3
    assert ticket.error.startswith("ConnectionError: no answer")
    assert logs(world) == [""]


def test_inside_and_outside_runs_of_one_lane_keep_their_order(world: World) -> None:
    seen: list[str] = []
    Parcel.during = staticmethod(lambda parcel: seen.append(f"ship {parcel.id}"))

    assert ask(world, "mark", "ship", "mark", "mark", "ship", "mark") == [None] * 6
    assert logs(world) == ["marked", "shipped", "marked", "marked", "shipped", "marked"]
    assert seen == ["ship 2", "ship 5"]


def test_nothing_is_left_of_a_lease_that_has_ended(world: World) -> None:
    ask(world, "ship", "flush", "call")

    with world.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM afterwork_lease")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM afterwork_lane WHERE lease IS NOT NULL")).scalar() == 0
        assert connection.execute(text("SELECT count(*) FROM afterwork_server")).scalar() == 0


def test_a_root_that_is_deleted_while_it_runs_ends_it_when_it_is_tried_again(world: World) -> None:
    def during(parcel: Parcel) -> None:
        def delete() -> None:
            with world.engine.begin() as other:
                other.execute(text("DELETE FROM parcel"))

        elsewhere(delete)

    Parcel.during = staticmethod(during)

    assert ask(world, "ship") == [None]
    world.clock.advance(timedelta(minutes=1))
    world.run()

    assert errors(world.engine, SysAsyncTicket) == ["The root Parcel!1 is not there (any more)."]
    assert logs(world) == []


def test_a_ticket_that_is_deleted_while_it_runs_leaves_no_effects(world: World) -> None:
    """Whoever deletes the ticket takes the work back."""

    def during(parcel: Parcel) -> None:
        def delete() -> None:
            with world.engine.begin() as other:
                other.execute(text("DELETE FROM sys_async_ticket"))

        elsewhere(delete)

    Parcel.during = staticmethod(during)

    ask(world, "ship")

    with world.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM afterwork_lease")).scalar() == 0

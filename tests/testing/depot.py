"""An application under test: parcels of depots, with a job of each kind."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

from sqlalchemy import Engine, ForeignKey, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship
from statemachine import State, StateChart

import afterwork as aw
from afterwork.model.utc_datetime import UtcDateTime
from afterwork.testing import Testing, rolled_back
from afterwork.testing.harness import HarnessMode
from tests.support.prepared import begin_with


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    """Leaves packed by itself when it weighs something, and on the road by an event that it asks for itself."""

    packed = State(initial=True)
    on_the_road = State()
    delivered = State(final=True)
    packed.to(on_the_road, cond="is_heavy")
    deliver = on_the_road.to(delivered)

    def on_enter_on_the_road(self, model: Any) -> None:
        aw.later(model.flow.deliver, after=timedelta(days=1))


class Depot(Base):
    __tablename__ = "depot"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int] = mapped_column(default=0)
    fee: Mapped[int] = mapped_column(default=0)
    parcels_sent: Mapped[int] = mapped_column(default=0)
    count: Mapped[int] = mapped_column(default=0, server_default="0")
    parcels: Mapped[list["Parcel"]] = relationship(back_populates="depot", order_by="Parcel.id")
    labels: Mapped[list["Label"]] = relationship(cascade="all, delete-orphan", order_by="Label.id")

    @aw.derived(weight)
    def compute_weight(self) -> int:
        return sum(parcel.weight for parcel in self.parcels)

    @aw.derived(fee)
    def compute_fee(self) -> int:
        return self.weight * 2

    @aw.derived(count, at="commit")
    def compute_count(self) -> int:
        raise NotImplementedError("it is computed by its expression")

    @compute_count.expression
    def count_in_sql(cls: Any) -> Any:
        return select(func.count(Parcel.id)).where(Parcel.depot_id == cls.id).scalar_subquery()


class Label(Base):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)
    depot_id: Mapped[int] = mapped_column(ForeignKey("depot.id"))
    text: Mapped[str]


class Labelling(aw.ViewModel[Depot]):
    """Keeps one label for each parcel with a weight: a cache that reads what it writes."""

    when = aw.WhenStale()

    @aw.action
    def label(self) -> None:
        wanted = {f"{parcel.weight} kg" for parcel in self.root.parcels if parcel.weight}
        existing = {label.text: label for label in self.root.labels}
        for gone in existing.keys() - wanted:
            self.root.labels.remove(existing[gone])
        self.root.labels.extend(Label(text=new) for new in sorted(wanted - existing.keys()))


class Insurer:
    """Another system. It counts its policies."""

    policies = 0

    @classmethod
    def insure(cls) -> str:
        cls.policies += 1
        return f"policy {cls.policies}"

    @classmethod
    async def answer(cls) -> str:
        return "insured already"


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    depot_id: Mapped[int] = mapped_column(ForeignKey("depot.id"))
    weight: Mapped[int] = mapped_column(default=0)
    moved: Mapped[int] = mapped_column(default=0)
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_late: Mapped[bool] = mapped_column(default=False)
    insured: Mapped[str | None]
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)
    depot: Mapped[Depot] = relationship(back_populates="parcels")

    @property
    def is_heavy(self) -> bool:
        return self.weight > 100

    @aw.derived(is_late)
    def compute_is_late(self) -> bool:
        return self.due is not None and aw.passed(self.due)

    @aw.method
    def move(self) -> None:
        self.moved += 1

    @aw.method
    def move_on(self) -> None:
        self.moved += 1
        if self.moved < 3:
            aw.later(self.move_on)

    @aw.method(external=True, lane=None)
    def ship(self) -> None:
        self.moved += 10

    @aw.method(precondition=lambda self: self.weight > 0)
    def weigh(self) -> None: ...

    @aw.method
    def forward(self, to: str, code: Annotated[str, aw.Secret] = "") -> None: ...

    @aw.method
    def drop(self) -> None:
        self.moved = 99
        raise ValueError("it is broken")

    @aw.method(retry=aw.Retry(attempts=2, backoff=timedelta(hours=1)))
    def try_again(self) -> None:
        if aw.current_run().attempt == 1:
            raise ConnectionError("nobody answers")
        self.moved += 1

    @aw.method(external=True, retry=aw.Retry(attempts=3, backoff=timedelta(0)))
    def insure(self) -> None:
        self.insured = aw.step("insure", Insurer.insure)
        if aw.current_run().attempt < 3:
            raise ConnectionError("nobody answers")

    @aw.method(external=True, lane=None)
    async def track(self) -> None:
        await asyncio.sleep(0)
        depot = await aw.read(lambda: self.depot)
        self.insured = await aw.step("insure", Insurer.answer)
        self.moved += len(await aw.read(lambda: depot.parcels))
        aw.progress(1, 2)

    @aw.method
    def collide(self) -> None:
        """Fail in the database, which spoils a transaction on PostgreSQL."""
        aw.session(self).execute(
            text("INSERT INTO depot (id, weight, fee, parcels_sent) VALUES (NULL, NULL, NULL, NULL)")
        )

    @aw.method
    def commit_it(self) -> None:
        self.moved = 99
        aw.session(self).connection().commit()

    @aw.method
    def roll_back(self) -> None:
        self.moved = 99
        aw.session(self).connection().rollback()

    @aw.method(external=True)
    def roll_back_outside(self) -> None:
        self.moved = 99
        aw.session(self).connection().rollback()

    @aw.method(lane="post", external=True)
    def hang_about(self) -> None:
        aw.progress(1, 2)

    @aw.method(lane=aw.Lane("scales", rate=1, per=timedelta(hours=1)))
    def weigh_slowly(self) -> None:
        self.moved += 1

    @aw.method
    def stack(self) -> None:
        raise NotImplementedError("they are stacked together")

    @stack.many
    @staticmethod
    def stack_all(parcels: Sequence["Parcel"]) -> None:
        for parcel in parcels:
            parcel.moved = len(parcels)


class Unpack(aw.ViewModel[Parcel]):
    @aw.action
    def unpack(self) -> None:
        self.root.weight = 99
        raise ValueError("it is empty")

    @aw.on_exception
    def note(self, error: Exception) -> None:
        self.root.moved = len(str(error))


class Send(aw.ViewModel[Parcel]):
    when = aw.Every(hours=1, criteria=select(Parcel).where(Parcel.weight == 7))
    by: str = aw.variable(default="road")

    @aw.action
    def send(self) -> None:
        self.root.depot.parcels_sent += 1


class Upgrade(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def note(self) -> None:
        aw.session(self).add(Depot(parcels_sent=1000))


app = aw.Afterwork(Base)


def open_depot(engine: Engine) -> None:
    """Install, and run what runs when a server starts for the first time."""
    install(engine)
    app.run_until_idle(engine)


def tables(engine: Engine) -> dict[str, int]:
    """The number of rows of each table that has some."""
    with engine.connect() as connection:
        names = [*Base.metadata.tables, "afterwork_journal", "afterwork_cache", "afterwork_due", "afterwork_server"]
        counts = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}
    return {name: count for name, count in counts.items() if count}


def install(engine: Engine) -> None:
    """Only install: no server has ever run."""
    Base.metadata.create_all(engine)
    app.install(engine)


@contextmanager
def under_test(
    engine: Engine, mode: HarnessMode = "drain", begin: Callable[[Engine], None] = open_depot
) -> Iterator[tuple[Testing, Session]]:
    """The application in a transaction that is rolled back, with a session of the code under test."""
    begin_with(engine, begin)
    with (
        rolled_back(engine) as connection,
        Testing(app, connection, mode).lasting() as testing,
        Session(connection, join_transaction_mode="create_savepoint") as session,
    ):
        yield testing, session


def a_parcel(session: Session, weight: int = 1, **values: Any) -> Parcel:
    parcel = Parcel(weight=weight, depot=Depot(), **values)
    session.add(parcel)
    session.commit()
    return parcel


def works(ended: list[aw.Ended]) -> list[str]:
    return sorted(run.run.work for run in ended)

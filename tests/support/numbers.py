"""The model of the fault tests: customers who need numbers, and runs that leave a trace of when and where they ran."""

import os
import signal
import time
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from tests.support.journal import Journal

JOURNAL = "AFTERWORK_TEST_JOURNAL"
"""The environment variable that names the journal's file. Beside it lies the gate."""


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class NumberSeries(Base):
    __tablename__ = "number_series"
    name: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[int] = mapped_column(default=0)


class Effect(Base):
    """What a run did, committed with it. Nothing but Afterwork keeps a run from leaving two of them."""

    __tablename__ = "effect"
    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str]
    customer: Mapped[int]
    process: Mapped[int]
    begin: Mapped[float]
    end: Mapped[float]


class Customer(Base):
    """A customer, with what his runs do: they take some seconds, wait for the gate, and come to grief in some way."""

    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int | None]
    seconds: Mapped[float] = mapped_column(default=0.0)
    waits: Mapped[bool] = mapped_column(default=False)
    grief: Mapped[str] = mapped_column(default="")
    greeted: Mapped[int] = mapped_column(default=0)

    @aw.method(precondition=lambda self: self.number is None)
    def assign_number(self) -> None:
        self._take_number()

    @aw.method(precondition=lambda self: self.number is None, external=True)
    def assign_number_outside(self) -> None:
        self._take_number()

    @aw.method(external=True, lane="post")
    def greet_outside(self) -> None:
        self._work()
        self.greeted += 1

    @aw.method(lane=None)
    def greet(self) -> None:
        self._work()
        self.greeted += 1

    def _take_number(self) -> None:
        session = aw.session(self)
        series = session.get_one(NumberSeries, "customer")
        begin = self._work()
        series.last += 1
        self.number = series.last
        end = journal().note("end", customer=self.id)
        run = str(aw.current_run().id)
        session.add(Effect(run=run, customer=self.id, process=os.getpid(), begin=begin, end=end))

    def _work(self) -> float:
        begin = journal().note("begin", customer=self.id, run=str(aw.current_run().id))
        match self.grief:
            case "raises":
                raise ValueError(f"customer {self.id} can't be done")
            case "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            case "crashes its database":
                driver = aw.session(self).connection().connection.dbapi_connection
                os.kill(driver.info.backend_pid, signal.SIGKILL)  # type: ignore[union-attr]
            case "crashes all processes in its database":
                ours = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'afterwork'")
                for process in aw.session(self).execute(ours).scalars().all():
                    os.kill(process, signal.SIGKILL)
            case "has lost another database":
                create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere").connect()
        while time.monotonic() < begin + self.seconds or (self.waits and not gate().exists()):
            time.sleep(0.005)
        return begin


_journals: dict[str, Journal] = {}


def journal() -> Journal:
    """The journal of this process."""
    path = os.environ[JOURNAL]
    if path not in _journals:
        _journals[path] = Journal(Path(path))
    return _journals[path]


def gate() -> Path:
    """The file without which runs of customers who wait don't go on."""
    return gate_of(Path(os.environ[JOURNAL]))


def gate_of(path: Path) -> Path:
    """The gate beside a journal."""
    return path.with_suffix(".gate")


def create(engine: Engine) -> None:
    """The tables and the number series."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(NumberSeries(name="customer", last=0))

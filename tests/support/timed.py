"""A model with timers, for servers in processes of their own: tasks that are done once, ticks that leave a row each."""

from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.model.utc_datetime import UtcDateTime

TASKS = 20


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Task(Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(default=0)


class Visit(Base):
    """A tick: the due time that it was for."""

    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(primary_key=True)
    due: Mapped[datetime] = mapped_column(UtcDateTime)


class Work(aw.ViewModel, root=Task):
    when = aw.Every(hours=1, criteria=select(Task).where(Task.count == 0))

    @aw.action
    def work(self) -> None:
        self.root.count += 1


class Tick(aw.ViewModel, model=Base):
    when = aw.Every(seconds=0.1, lane="ticks")
    due: datetime = aw.variable()

    @aw.action
    def tick(self) -> None:
        aw.session(self).add(Visit(due=self.due))


def create(engine: Engine) -> None:
    """The tables, and tasks that are to be done."""
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add_all(Task(id=number) for number in range(1, TASKS + 1))

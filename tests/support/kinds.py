"""A model with each kind of run that a server makes; what each does besides is up to a test."""

from collections.abc import Callable
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from statemachine import State, StateChart

import afterwork as aw

KINDS = ("ticket", "external", "timer", "member", "view model", "machine", "once", "external once")


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Size(StateChart[Any]):
    small = State(initial=True)
    big = State(final=True)
    small.to(big, cond="is_big")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(default=0)
    inside: Mapped[int] = mapped_column(default=0)
    outside: Mapped[int] = mapped_column(default=0)
    timed: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None] = mapped_column()
    copied: Mapped[int | None] = mapped_column()
    state: Mapped[str | None] = mapped_column()
    size = aw.machine(Size, state=state)

    during: ClassVar[Callable[[str, Session], object]]
    """Is done in each run, whose kind it is given."""

    @aw.derived(total)
    def compute_total(self) -> int:
        with aw.untracked():
            Thing.during("member", aw.session(self))
        return sum(thing.n for thing in aw.session(self).scalars(select(Thing)))

    @property
    def is_big(self) -> bool:
        with aw.untracked():
            Thing.during("machine", aw.session(self))
        return self.n > 10

    @aw.method
    def work(self) -> None:
        Thing.during("ticket", aw.session(self))
        self.inside += 1

    @aw.method(external=True)
    def call(self) -> None:
        Thing.during("external", aw.session(self))
        self.outside += 1


class Timed(aw.ViewModel, root=Thing):
    when = aw.Every(minutes=10, criteria=select(Thing))

    @aw.action
    def count(self) -> None:
        Thing.during("timer", aw.session(self.root))
        self.root.timed += 1


class Copy(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        with aw.untracked():
            Thing.during("view model", aw.session(self.root))
        self.root.copied = self.root.n


class Upgrade(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def upgrade(self) -> None:
        Thing.during("once", aw.session(self))


class UpgradeOutside(aw.ViewModel, model=Base):
    when = aw.Once()
    external = True

    @aw.action
    def upgrade(self) -> None:
        Thing.during("external once", aw.session(self))


def nothing(kind: str, session: Any) -> None: ...


Thing.during = staticmethod(nothing)

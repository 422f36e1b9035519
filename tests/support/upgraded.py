"""A model with what runs once, for servers in processes of their own: each action leaves a row behind."""

from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Mark(Base):
    __tablename__ = "mark"
    id: Mapped[int] = mapped_column(primary_key=True)
    action: Mapped[str]


class Inside(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def first(self) -> None:
        aw.session(self).add(Mark(action="Inside.first"))

    @aw.action
    def second(self) -> None:
        aw.session(self).add(Mark(action="Inside.second"))


class Outside(aw.ViewModel, model=Base):
    when = aw.Once()
    external = True

    @aw.action
    def first(self) -> None:
        aw.session(self).add(Mark(action="Outside.first"))

    @aw.action
    def second(self) -> None:
        aw.session(self).add(Mark(action="Outside.second"))


def create(engine: Engine) -> None:
    """The tables."""
    Base.metadata.create_all(engine)

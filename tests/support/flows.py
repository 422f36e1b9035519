"""A model for flows: pieces of work that leave a mark, fail as often as they are told, and ask for others."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(aw.Model["SysAsyncTicket"], DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Mark(Base):
    """What a run has left, committed with it."""

    __tablename__ = "mark"
    id: Mapped[int] = mapped_column(primary_key=True)
    piece: Mapped[str]


class Piece(Base):
    """A piece of work. It raises in its first `failures` runs."""

    __tablename__ = "piece"
    name: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)

    @aw.method
    def do(self) -> None:
        self._leave_mark()

    @aw.method(lane="left")
    def do_left(self) -> None:
        self._leave_mark()

    @aw.method(lane="right")
    def do_right(self) -> None:
        self._leave_mark()

    @aw.method(external=True)
    def do_outside(self) -> None:
        self._leave_mark()

    @aw.method(retry=aw.Retry(attempts=2))
    def do_twice(self) -> None:
        self._leave_mark()

    @aw.method
    def begin(self) -> None:
        """Ask for two more and what follows them, and to be followed itself."""
        session = aw.session(self)
        own = session.get_one(SysAsyncTicket, aw.current_run().ticket)
        others = [aw.later(piece(session, name).do) for name in ("one", "two")]
        aw.after([own, *others], piece(session, "three").do)

    def _leave_mark(self) -> None:
        if self.failures >= aw.current_run().attempt:
            raise ValueError(f"{self.name} fails")
        aw.session(self).add(Mark(piece=self.name))


def piece(session: Session, name: str, **facts: Any) -> Piece:
    """Add a piece of work to a session, unless it is there."""
    the_piece = session.get(Piece, name)
    if the_piece is None:
        the_piece = Piece(name=name, **facts)
        session.add(the_piece)
    return the_piece


def marks(session: Session) -> list[str]:
    """The pieces that were done, in order."""
    return list(session.scalars(select(Mark.piece).order_by(Mark.id)))

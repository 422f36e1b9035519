"""A model in which each kind of run can be poison: it ends its process, its thread, its process in the database, or is
silent for longer than it may be.

What is named by a file beside the journal does so: `kill.value` has the calculation end the process.
"""

import ctypes
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw
from tests.support.numbers import JOURNAL

INSIDE_LIMIT = 0.7
"""Seconds that a transaction may be silent, in the tests with this model."""


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


def folder() -> Path:
    return Path(os.environ[JOURNAL]).parent


class OfThread(threading.local):
    """What a thread uses: the process in PostgreSQL that does its statements."""

    backend: int | None = None


USED = OfThread()


def prepare(engine: Engine) -> None:
    """Let a server's process know which processes do its statements."""
    event.listen(engine, "before_cursor_execute", note_backend)


def note_backend(connection: Connection, *_: object) -> None:
    """Note the process that is about to do a statement of this thread."""
    if connection.dialect.name == "postgresql":
        with aw.untracked():
            driver: Any = connection.connection.dbapi_connection
            USED.backend = driver.info.backend_pid


def suffer(kind: str) -> None:
    """Come to grief, if this kind of run is to."""
    if (folder() / f"kill.{kind}").exists():
        os._exit(9)
    if (folder() / f"silence.{kind}").exists():
        time.sleep(INSIDE_LIMIT * 1.5)
    if (folder() / f"crash.{kind}").exists():
        assert USED.backend is not None
        os.kill(USED.backend, signal.SIGKILL)
        time.sleep(0.05)  # so that the other connections end before this one is used
    if (folder() / f"leave.{kind}").exists():
        os.kill(os.getpid(), signal.SIGTERM)
        ctypes.CDLL(None).pthread_exit(None)
    if (folder() / f"exit.{kind}").exists():
        ctypes.CDLL(None).pthread_exit(None)


class Flow(StateChart[Any]):
    """Moves by itself as soon as its object may."""

    resting = State(initial=True)
    moved = State(final=True)
    resting.to(moved, cond="may_move")

    def may_move(self, model: "Thing") -> bool:
        if model.may_move and model.bad:
            suffer("guard")
        return model.may_move

    def on_enter_moved(self, model: "Thing") -> None:
        if model.bad:
            suffer("entry")


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    bad: Mapped[bool] = mapped_column(default=False)
    n: Mapped[int] = mapped_column(default=1)
    total: Mapped[int | None] = mapped_column()
    seen: Mapped[int | None]
    done: Mapped[int] = mapped_column(default=0)
    done_outside: Mapped[int] = mapped_column(default=0)
    may_move: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    @aw.derived(total)
    def compute_total(self) -> int:
        if self.bad:
            suffer("value")
        return self.n

    @aw.method
    def work(self) -> None:
        if self.bad:
            suffer("ticket")
        self.done += 1

    @aw.method(external=True, lane="outside")
    def work_outside(self) -> None:
        if self.bad:
            suffer("outside")
        self.done_outside += 1


class Renewing(aw.ViewModel[Thing]):
    when = aw.WhenStale()

    @aw.action
    def see(self) -> None:
        if self.root.bad:
            suffer("view model")
        self.root.seen = self.root.n


class Hitting(aw.ViewModel[Thing]):
    when = aw.Every(seconds=0.2, criteria=select(Thing).where(Thing.bad))

    @aw.action
    def go(self) -> None:
        suffer("match")


def fatal() -> Any:
    suffer("criteria")
    return select(Thing).where(Thing.bad)


class Finding(aw.ViewModel[Thing]):
    when = aw.Every(seconds=0.2, criteria=fatal)

    @aw.action
    def go(self) -> None:
        pass


class Upgrading(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def upgrade(self) -> None:
        suffer("once")


def create(engine: Engine) -> None:
    Base.metadata.create_all(engine)

"""A model in which every place where an application's code is called can be made to raise anything, or to hang."""

import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, Select, event, select
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    mapped_column,
    reconstructor,
    validates,
    with_loader_criteria,
)
from statemachine import State, StateChart

import afterwork as aw
from afterwork.events import Event, Reached
from tests.support.going_clock import GoingClock
from tests.support.hanging import GATE
from tests.support.prepared import open_with
from tests.support.raising import GENERAL, REACHED, Amount, AmountColumn, Note, NoteColumn, Wordless, raises
from tests.support.waiting import eventually
from tests.support.world import everything

ASKED_FOR: ContextVar[Any] = ContextVar("asked_for")
"""The object for which a statement is executed. SQLAlchemy calls criteria without anything but their class."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Flow(StateChart[Any]):
    """Moves by itself."""

    new = State(initial=True)
    moved = State(final=True)
    new.to(moved, cond="may_move", on="moving")


def pause(attempt: int) -> timedelta:
    raises("backoff")
    return timedelta(0)


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str | None] = mapped_column()
    """Where its code raises."""
    kind: Mapped[str | None] = mapped_column()
    n: Mapped[int] = mapped_column(default=0)
    note: Mapped[Note | None] = mapped_column(NoteColumn)
    done_by_method: Mapped[int] = mapped_column(default=0)
    done_outside: Mapped[int] = mapped_column(default=0)
    done_by_action: Mapped[int] = mapped_column(default=0)
    tried: Mapped[int] = mapped_column(default=0)
    ticks: Mapped[int] = mapped_column(default=0)
    twice: Mapped[int | None] = mapped_column()
    amount: Mapped[Amount | None] = mapped_column(AmountColumn)
    copied: Mapped[int | None] = mapped_column()
    state: Mapped[str | None] = mapped_column()
    flow = aw.machine(Flow, state=state)

    @reconstructor
    def loaded(self) -> None:
        raises("load", self)

    def may_do(self) -> bool:
        raises("precondition", self)
        return True

    def may_move(self) -> bool:
        raises("guard", self)
        return True

    def moving(self) -> None:
        raises("effect", self)

    @aw.method(precondition=may_do)
    def do(self) -> None:
        raises("method", self)
        match self.place:
            case "text":
                raise Wordless(self)
            case "bind":
                self.note = Note(self.place, self.kind)
            case "do_orm_execute" | "statement" | "loader criteria":
                asked = select(Thing.id).where(Thing.id == self.id)
                options = {"thing": self, "compiled_cache": None}  # criteria are called as a statement is compiled
                aw.session(self).execute(asked, execution_options=options).all()
            case _:
                pass
        self.done_by_method += 1

    @classmethod
    def loader_criteria(cls) -> Any:
        raises("loader criteria", ASKED_FOR.get())
        return cls.n >= 0

    @validates("done_by_method")
    def validate(self, name: str, value: int) -> int:
        raises("validator", self)
        return value

    @aw.method(external=True)
    def do_outside(self) -> None:
        raises("external", self)
        self.done_outside += 1

    @aw.method(retry=aw.Retry(attempts=2, backoff=pause))
    def do_at_last(self) -> None:
        if aw.current_run().attempt == 1:
            raise ValueError("not yet")
        self.tried += 1

    @aw.derived(twice)
    def compute_twice(self) -> int:
        raises("calculation", self)
        return 2 * self.n

    @aw.derived(amount)
    def compute_amount(self) -> Amount:
        return Amount(self.n, self.place, self.kind)


@event.listens_for(Thing, "before_update")
def saving(mapper: object, connection: object, thing: Thing) -> None:
    raises("flush", thing)


@event.listens_for(Thing.done_by_action, "set")
def setting(thing: Thing, *others: object) -> None:
    raises("attribute", thing)


def in_flush(place: str) -> Callable[..., None]:
    def hook(session: Session, *others: object) -> None:
        for changed in session.dirty:
            if isinstance(changed, Thing):
                raises(place, changed)

    return hook


def executing(state: ORMExecuteState) -> None:
    thing = state.execution_options.get("thing")
    if thing is not None:
        raises("do_orm_execute", thing)
        ASKED_FOR.set(thing)
        state.statement = state.statement.options(with_loader_criteria(Thing, lambda cls: cls.loader_criteria()))


def sending(connection: object, cursor: object, statement: str, values: object, context: Any, many: bool) -> None:
    thing = context.execution_options.get("thing")
    if thing is not None:
        raises("statement", thing)


@contextmanager
def listening(engine: Engine) -> Iterator[None]:
    """Listen to all sessions, and to an engine, as long as the block lasts."""
    hooks: list[tuple[Any, str, Callable[..., None]]] = [
        (Session, "before_flush", in_flush("before_flush")),
        (Session, "after_flush", in_flush("after_flush")),
        (Session, "do_orm_execute", executing),
        (engine, "before_cursor_execute", sending),
    ]
    for hook in hooks:
        event.listen(*hook)
    try:
        yield
    finally:
        for hook in hooks:
            event.remove(*hook)


class Do(aw.ViewModel, root=Thing):
    def is_wanted(self) -> bool:
        raises("enabled", self.root)
        return True

    @aw.action(enabled=is_wanted)
    def do(self) -> None:
        if self.root.place == "on_exception":
            raise ValueError("which is told")
        raises("action", self.root)
        self.root.done_by_action += 1

    @aw.on_exception
    def failed(self, error: Exception) -> None:
        raises("on_exception", self.root)


class Copy(aw.ViewModel, root=Thing):
    when = aw.WhenStale()

    @aw.action
    def copy(self) -> None:
        raises("view model", self.root)
        self.root.copied = self.root.n


def criteria() -> Select[Any]:
    raises("criteria")
    return select(Thing)


def before(variables: Any) -> None:
    raises("before")


class Asks(aw.ViewModel, root=Thing):
    when = aw.Every(minutes=1, criteria=criteria, before=before)

    @aw.action
    def ask(self) -> None: ...


class Ticks(aw.ViewModel, root=Thing):
    when = aw.Every(minutes=1, criteria=select(Thing))

    @aw.action
    def tick(self) -> None:
        raises("tick", self.root)
        self.root.ticks += 1


class Upgrade(aw.ViewModel, model=Base):
    when = aw.Once()

    @aw.action
    def upgrade(self) -> None:
        raises("once")


CHANGING = ["done_by_method", "done_outside", "done_by_action", "tried", "ticks", "copied", "state"]
LOADING = [*CHANGING, "twice", "amount"]

OWN: dict[str, Collection[str]] = {
    "precondition": ["done_by_method"],
    "method": ["done_by_method"],
    "external": ["done_outside"],
    "enabled": ["done_by_action"],
    "action": ["done_by_action"],
    "on_exception": ["done_by_action"],
    "text": ["done_by_method"],
    "validator": ["done_by_method"],
    "attribute": ["done_by_action"],
    "bind": ["done_by_method"],
    "do_orm_execute": ["done_by_method"],
    "loader criteria": ["done_by_method"],
    "statement": ["done_by_method"],
    "calculation": ["twice"],
    "equal": ["amount"],
    "guard": ["state"],
    "effect": ["state"],
    "view model": ["copied"],
    "tick": ["ticks"],
    # These belong to all that loads the object, or changes it by itself.
    "flush": CHANGING,
    "before_flush": CHANGING,
    "after_flush": CHANGING,
    "load": LOADING,
    "result": LOADING,
}
"""The places of an object's own code, each with what is not done for that object if it raises there."""

OF_ALL = ["backoff", "criteria", "before", "once", "listener"]
"""The places of code that belongs to no object. Nothing else is left undone because of them."""

RIGHT = {
    "done_by_method": 1, "done_outside": 1, "done_by_action": 1, "tried": 1, "ticks": 1,
    "twice": 14, "amount": Amount(7), "copied": 7, "state": "moved",
}  # fmt: skip
"""What each object has in the end, unless its own code has kept it from that."""


@dataclass
class Hooks:
    """An installed application on a database of its own, whose code can be made to raise."""

    engine: Engine
    clock: aw.ManualClock = field(default_factory=GoingClock)
    seen: list[Event] = field(default_factory=list)
    settings: aw.Settings = field(default_factory=aw.Settings)

    def __post_init__(self) -> None:
        GENERAL.clear()
        REACHED.clear()
        GATE.clear()
        self.app = aw.Afterwork(Base, clock=self.clock, on_event=self.listen, settings=self.settings)
        open_with(self.engine, Base, self._open)

    def _open(self, engine: Engine) -> None:
        Base.metadata.create_all(engine)
        self.app.install(engine)

    def listen(self, event: Event) -> None:
        self.seen.append(event)
        if isinstance(event, Reached):
            raises("listener")

    def ask(self, *faults: tuple[str | None, str | None]) -> None:
        """Save an object for each fault, a place and a kind, with a ticket for each of its works."""
        with Session(self.engine) as session, session.begin():
            for place, kind in faults:
                thing = Thing(place=place, kind=kind, n=7, note=Note(place, kind) if place == "result" else None)
                thing.amount = Amount(0)  # with which the value is compared
                session.add(thing)
                for work in (thing.do, thing.do_outside, thing.do_at_last, Do(thing)):
                    aw.later(work)

    def run(self) -> None:
        """Let everything run that is due within two minutes."""
        for _ in range(2):
            self.app.run_until_idle(self.engine)
            self.clock.advance(timedelta(minutes=1))
        self.app.run_until_idle(self.engine)

    def serve(self) -> None:
        """Let a server do what is due within two minutes, until it is done but for what hangs."""
        before = set(threading.enumerate())
        self.clock.advance(timedelta(minutes=2))
        try:
            with self.app.serving(self.engine):
                eventually(self.is_over)
                GATE.set()
        finally:
            GATE.set()
            for thread in set(threading.enumerate()) - before:
                thread.join(10)

    def is_over(self) -> bool:
        try:
            self.check()
        except AssertionError:
            return False
        return True

    def check(self) -> None:
        """Assert that all has been done but what an object's own code has kept from being done, and all tickets have
        ended."""
        for thing in _things(self.engine):
            undone = OWN.get(thing.place or "", ())
            values = {name: getattr(thing, name) for name in RIGHT if name not in undone}
            values["ticks"] = min(1, values["ticks"]) if "ticks" in values else None
            assert values == {"ticks": None} | {name: value for name, value in RIGHT.items() if name not in undone}, (
                thing.place,
                thing.kind,
            )
        assert [ticket.view_model for ticket in everything(self.engine, SysAsyncTicket) if ticket.done is None] == []


def _things(engine: Engine) -> list[Any]:
    """The objects, of which loading some raises."""
    columns = [column for column in Thing.__table__.columns if column.name != "note"]
    with engine.connect() as connection:
        return list(connection.execute(select(*columns).order_by(Thing.id)))

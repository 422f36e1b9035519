"""An office with tasks, for timers: each test says which timers it has."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.events import Event
from afterwork.jobs.run import Succeeded
from tests.support.prepared import begin_with, is_empty


@dataclass
class Office:
    """A model of its own in a database, with a clock of its own. `log` is what its jobs have written down."""

    engine: Engine
    base: Any
    task: Any
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)
    log: list[Any] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)
    kept: list[type] = field(default_factory=list)

    @property
    def app(self) -> aw.Afterwork:
        """A new server's application, which reads the model anew."""
        return aw.Afterwork(self.base, clock=self.clock, on_event=self.events.append, variables=self.variables)

    def timer(self, name: str = "Work", root: bool = True, **parts: Any) -> type:
        """Add a view model with these parts. Its action, if none is given, notes the root and does the task."""

        def work(self_: Any) -> None:
            self.log.append(None if self_.root is None else self_.root.id)
            if self_.root is not None:
                if self_.root.bad:
                    raise ValueError("bad")
                self_.root.done += 1

        given = {"work": aw.action(work), **parts}
        made: type = type(name, (aw.ViewModel,), given, root=self.task if root else None, model=self.base)
        self.kept.append(made)
        return made

    def open(self, tasks: int = 0, bad: Callable[[int], bool] = lambda number: False) -> None:
        """Create the tables, and tasks 1 to `tasks`."""
        _ = self.app.model  # which may be wrong
        if is_empty(self.engine):
            begin_with(self.engine, self._install)
        else:
            self._install(self.engine)
        with Session(self.engine) as session, session.begin():
            session.add_all(self.task(id=number, bad=bad(number)) for number in range(1, tasks + 1))

    def _install(self, engine: Engine) -> None:
        """Leaves the same for all offices: none has caches."""
        self.base.metadata.create_all(engine)
        self.app.install(engine)

    def set_clock(self, moment: datetime) -> None:
        """Let it be a certain moment."""
        self.clock.advance(moment - self.clock.now())

    def run(self, after: timedelta = timedelta(0)) -> list[tuple[str, str | None, bool]]:
        """Run all that is due some time later. Returns the work, the root and whether it went well, of each run."""
        self.clock.advance(after)
        ended = self.app.run_until_idle(self.engine)
        return [(made.run.work, made.run.root_id, isinstance(made.outcome, Succeeded)) for made in ended]

    def matched(self, after: timedelta = timedelta(0)) -> list[int | None]:
        """The tasks that runs were made for, in order; None for a run without one."""
        return [None if root is None else int(root.partition("!")[2]) for _, root, _ in self.run(after)]

    def sql(self, statement: str) -> Any:
        """Execute a statement, and return its first value."""
        with self.engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None


def an_office(engine: Engine, **variables: Any) -> Office:
    """An office that is not open yet."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Task(Base):
        __tablename__ = "task"
        id: Mapped[int] = mapped_column(primary_key=True)
        done: Mapped[int] = mapped_column(default=0)
        bad: Mapped[bool] = mapped_column(default=False)

    return Office(engine, Base, Task, variables=variables, kept=[SysAsyncTicket])

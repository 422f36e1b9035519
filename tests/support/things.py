"""Things whose state machine is a test's own."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import StateChart

import afterwork as aw
from tests.support.prepared import Step
from tests.support.world import World


@dataclass
class Things(World):
    """Things, with a level that guards look at; `thing` is their class."""

    thing: Any = None

    def add(self, *ids: int, **facts: Any) -> None:
        with self.session() as session, session.begin():
            session.add_all(self.thing(id=number, **facts) for number in ids)

    def sql(self, *statements: str) -> None:
        """Change something as another program would."""
        for statement in statements:
            with self.engine.begin() as connection:
                connection.execute(text(statement))

    def states(self) -> list[Any]:
        """The states of all things, by key."""
        with self.engine.connect() as connection:
            return list(connection.execute(text("SELECT state FROM thing ORDER BY id")).scalars())

    def errors(self) -> list[str]:
        """Run all that is due. Returns what has failed."""
        return [ended.outcome.error for ended in self.run() if isinstance(ended.outcome, aw.Raised)]


def things(engine: Engine, chart: type[StateChart[Any]], first: Step | None = None) -> Things:
    """A server for things with such a machine, named flow."""
    thing = thing_with(chart)
    return Things(engine, thing.registry, first=first, thing=thing)


@cache
def thing_with(chart: type[StateChart[Any]]) -> Any:
    """A class whose objects have such a machine, the only one of its model."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Thing(Base):
        __tablename__ = "thing"
        id: Mapped[int] = mapped_column(primary_key=True)
        state: Mapped[str | None] = mapped_column()
        level: Mapped[int] = mapped_column(default=0)
        note: Mapped[str] = mapped_column(default="")
        flow = aw.machine(chart, state=state)
        tickets = SysAsyncTicket

    return Thing

"""A listener that does something between the steps of a server; and what a test writes and reads meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine, text

from afterwork.events import Event, Reached


@dataclass
class Interleaved:
    """A listener that does something when a run of a cache comes to a point, each thing once. What fails stays to be
    done."""

    todo: dict[tuple[str, str], Callable[[], object]] = field(default_factory=dict)
    met: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        if isinstance(event, Reached):
            self.met.append((event.point, event.work))
            if action := self.todo.get((event.point, event.work)):
                action()
                del self.todo[event.point, event.work]


def sql(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def value(engine: Engine, statement: str) -> object:
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()

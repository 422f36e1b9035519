"""A database with a model of the test's own, and what a test asks of it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, event, inspect, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event
from tests.support.prepared import Step, open_with


@dataclass
class World:
    """One model in one database, installed, with its server's clock in the test's hand and all events written down.
    `first` is what else is done to its database before the test begins, once for many tests."""

    engine: Engine
    base: Any
    clock: aw.ManualClock = field(default_factory=aw.ManualClock)
    seen: list[Event] = field(default_factory=list)
    settings: aw.Settings = field(default_factory=aw.Settings)
    variables: Mapping[str, Any] = field(default_factory=dict)
    first: Step | None = None

    def __post_init__(self) -> None:
        self.app = aw.Afterwork(
            self.base,
            clock=self.clock,
            on_event=self.seen.append,
            settings=self.settings,
            variables=self.variables,
        )
        if self.first is None:
            open_with(self.engine, self.base, self.prepare)
        else:
            open_with(self.engine, self.base, self.prepare, self.first)
            self._be_up_to_date()

    def prepare(self, engine: Engine) -> None:
        self.base.metadata.create_all(engine)
        self.app.install(engine)

    def _be_up_to_date(self) -> None:
        """Let the clock tell a time after all that has been done to the database, perhaps just now."""
        self.clock.advance(max(datetime.now(UTC) - self.clock.now(), timedelta(0)))

    def session(self) -> Session:
        return Session(self.engine, expire_on_commit=False)

    def run(self) -> list[aw.Ended]:
        """Run all that is due."""
        return self.app.run_until_idle(self.engine)

    def all(self, cls: type[Any]) -> list[Any]:
        """The objects of a class, by key."""
        return everything(self.engine, cls)


def everything(engine: Engine, cls: type[Any]) -> list[Any]:
    """The objects of a class as the database has them, by key."""
    with Session(engine) as session:
        return list(session.scalars(select(cls).order_by(*inspect(cls).primary_key)))


def the_only(engine: Engine, cls: type[Any]) -> Any:
    """The one object of a class that there is."""
    (single,) = everything(engine, cls)
    return single


def errors(engine: Engine, ticket_class: type[Any]) -> list[str | None]:
    """What stands in the Error of each ticket, by key."""
    return [ticket.error for ticket in everything(engine, ticket_class)]


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that are sent to a database while the block lasts."""
    sent: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def works(ended: Sequence[aw.Ended]) -> list[tuple[str, str | None]]:
    """What ran, in order: the work and its root."""
    return [(made.run.work, made.run.root_id) for made in ended]

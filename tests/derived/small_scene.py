"""Scenes for small changes, in which something can be done between the steps of a server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event, Point, Reached
from tests.derived.stale_scene import Scene
from tests.support.trade import Base, Customer, Line, Order

CLAIMING = aw.Settings(at_once=timedelta(0))

QUICK = aw.Settings(at_once=timedelta(seconds=5))
"""With this, no machine is too slow."""


@dataclass
class Small(Scene):
    """A scene in which something can be done at each point that a server comes to, each thing once."""

    todo: dict[tuple[Point, str], Callable[[], object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.app = self.server()

    def server(self, settings: aw.Settings | None = None) -> aw.Afterwork:
        """Another server on the same database."""
        return aw.Afterwork(self.base, clock=self.clock, on_event=self._met, settings=settings or self.settings)

    def _met(self, event: Event) -> None:
        self.seen.append(event)
        if isinstance(event, Reached) and (action := self.todo.pop((event.point, event.work), None)):
            action()

    def points(self) -> list[tuple[Point, str]]:
        """The points that were come to since this was last asked."""
        found = [(one.point, one.work) for one in self.seen if isinstance(one, Reached)]
        self.seen.clear()
        return found

    def claimed(self) -> list[str]:
        """What was claimed since this was last asked."""
        return [work for point, work in self.points() if point == "claimed"]


def only_on_postgresql(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")


def trade(engine: Engine, settings: aw.Settings = QUICK) -> Small:
    """Ada has an order of two lines, 25 in all; everything is fresh, and known to be quick."""
    return Small(engine, Base, settings=settings, first=ada_orders)


def ada_orders(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        lines = [Line(id=1, quantity=2, price=Decimal(10)), Line(id=2, quantity=1, price=Decimal(5))]
        session.add(Customer(id=1, name="Ada", orders=[Order(id=1, lines=lines)]))
    aw.Afterwork(Base, settings=QUICK).run_until_idle(engine)

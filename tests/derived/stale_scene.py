"""Shelves whose calculated members do what a test makes them do, and what is asked of such a scene."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
from sqlalchemy import JSON, Engine, ForeignKey, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import afterwork as aw
from afterwork.derived.explain.explanation import Explanation
from tests.support.world import World

MOST_RUNS = 40
"""So many runs no test here needs, unless something goes round and round."""


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Shelf(Base):
    """`sort` says how it behaves; a cache that makes trouble does so for "bad" ones."""

    __tablename__ = "shelf"
    id: Mapped[int] = mapped_column(primary_key=True)
    sort: Mapped[str] = mapped_column(String(10), default="good")
    size: Mapped[int] = mapped_column(default=1)
    value: Mapped[int] = mapped_column(default=0)
    label: Mapped[str | None] = mapped_column(String(8))
    extra: Mapped[Any] = mapped_column(JSON, nullable=True)
    touched: Mapped[int] = mapped_column(default=0, info=aw.UNWATCHED)
    books: Mapped[list["Book"]] = relationship(order_by="Book.id")

    @aw.derived(value)
    def compute_value(self) -> int:
        return self.size

    @aw.derived(label)
    def compute_label(self) -> str | None:
        return f"{len(self.books)}"

    @aw.derived(extra)
    def compute_extra(self) -> Any:
        return {"sort": self.sort}


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey("shelf.id"))
    title: Mapped[str] = mapped_column(default="")


class Log(Base):
    """A table that is left out."""

    __tablename__ = "log"
    __table_args__ = {"info": aw.UNWATCHED}
    id: Mapped[int] = mapped_column(primary_key=True)


@dataclass
class Scene(World):
    """Shelves 1 to 3, in a database whose caches have not run yet."""

    def sql(self, *statements: str) -> None:
        """Change something as another program would."""
        for statement in statements:
            with self.engine.begin() as connection:
                connection.execute(text(statement))

    def value(self, statement: str) -> Any:
        with self.engine.connect() as connection:
            return connection.execute(text(statement)).scalar()

    def runs(self, work: str = "") -> list[str]:
        """Run all that is due. Returns what ran: `Shelf.value Shelf!1`, of all caches or of one."""
        ended = self.run()
        assert len(ended) < MOST_RUNS, "it does not come to rest"
        return [f"{run.run.work} {run.run.root_id}" for run in ended if work in ("", run.run.work)]

    def explain(self, key: int, name: str, cls: type[Any] = Shelf) -> Explanation:
        with self.session() as session:
            return self.app.explain(session.get_one(cls, key), name)

    def failed(self, key: int, name: str, cls: type[Any] = Shelf) -> str:
        """What a cache that has failed says."""
        explanation = self.explain(key, name, cls)
        assert explanation.state == "failed", explanation
        assert explanation.error is not None
        return explanation.error

    def is_quiet(self) -> bool:
        """Whether nothing is left to do but to try again what has failed."""
        left = "SELECT (SELECT count(*) FROM afterwork_journal) + (SELECT count(*) FROM afterwork_recent)"
        claimed = "SELECT count(*) FROM afterwork_due WHERE claim IS NOT NULL"
        return bool(self.value(left) == 0 and self.value(claimed) == 0)

    @property
    def on_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"


def three_shelves(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add_all(Shelf(id=n, size=n, sort="bad" if n == 2 else "good") for n in (1, 2, 3))


@pytest.fixture(name="shelves")
def the_shelves(engine: Engine) -> Scene:
    return Scene(engine, Base, first=three_shelves)


Function = Callable[[Shelf], Any]


@pytest.fixture
def behave(monkeypatch: pytest.MonkeyPatch) -> Callable[[Function, str], None]:
    """Have bad shelves calculate a member by another function."""

    def put(bad: Function, member: str = "value") -> None:
        derived = vars(Shelf)[f"compute_{member}"]
        good = derived.function
        monkeypatch.setattr(derived, "function", lambda self: bad(self) if self.sort == "bad" else good(self))

    return put


def first(found: Iterator[Any], count: int) -> list[Any]:
    """The first of what an iterator yields; then it is left, as by a process that dies."""
    return list(islice(found, count))

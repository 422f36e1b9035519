"""Nodes that are made of those below them: a chain and a tree, their keys in any order, and three ways to sum up."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from sqlalchemy import Engine, ForeignKey, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw
from tests.support.world import World

CHAIN, TREE, BRANCHES = 10, 30, 3

KEEP: list[type] = []
"""The classes of models, which SQLAlchemy alone would let go of."""

Row = tuple[int, int | None]
"""The key of a node, and that of the node above it."""


def by_objects(calls: list[int], value: Callable[[int | None], int] = lambda total: total or 0) -> Any:
    """A node sums up the objects below it."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Node(Base):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        up_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
        size: Mapped[int]
        total: Mapped[int | None] = mapped_column()
        below: Mapped[list["Node"]] = relationship()

        @aw.derived(total)
        def compute_total(self) -> int:
            calls.append(self.id)
            return self.size + sum(value(node.total) for node in self.below)

    KEEP.extend((SysAsyncTicket, Node))
    return Base


def by_a_select(calls: list[int]) -> Any:
    """A node asks the database for the sum."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Node(Base):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        up_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
        size: Mapped[int]
        total: Mapped[int | None] = mapped_column()

        @aw.derived(total)
        def compute_total(self) -> int:
            calls.append(self.id)
            return self.size + (aw.session(self).scalar(select(func.sum(Node.total)).where(Node.up_id == self.id)) or 0)

    KEEP.extend((SysAsyncTicket, Node))
    return Base


def by_two_values(calls: list[int]) -> Any:
    """Two values of a node read each other: one what is below, the other all."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Node(Base):
        __tablename__ = "node"
        id: Mapped[int] = mapped_column(primary_key=True)
        up_id: Mapped[int | None] = mapped_column(ForeignKey("node.id"))
        size: Mapped[int]
        inner: Mapped[int | None] = mapped_column()
        total: Mapped[int | None] = mapped_column()
        below: Mapped[list["Node"]] = relationship()

        @aw.derived(inner)
        def compute_inner(self) -> int:
            return sum(node.total or 0 for node in self.below)

        @aw.derived(total)
        def compute_total(self) -> int:
            calls.append(self.id)
            return self.size + (self.inner or 0)

    KEEP.extend((SysAsyncTicket, Node))
    return Base


def made(total: int | None) -> int:
    """Return a value that must have been made."""
    assert total is not None, "it is not made yet"
    return total


WAYS: dict[str, Callable[[list[int]], Any]] = {
    "objects": by_objects,
    "a select": by_a_select,
    "two values": by_two_values,
    "objects that must have been made": partial(by_objects, value=made),
}

ORDERS: dict[str, Callable[[list[int]], Sequence[int]]] = {
    "from above": lambda keys: keys,
    "from below": lambda keys: keys[::-1],
    "at random": lambda keys: random.Random(7).sample(keys, len(keys)),
}
"""The order in which the nodes have their keys, which is that in which they are filled."""


def forest(order: str, first: int = 1) -> list[Row]:
    """A chain and a tree."""
    keys = ORDERS[order](list(range(first, first + CHAIN + TREE)))
    chain, tree = keys[:CHAIN], keys[CHAIN:]
    rows: list[Row] = [(key, None if place == 0 else chain[place - 1]) for place, key in enumerate(chain)]
    return rows + [(key, None if place == 0 else tree[(place - 1) // BRANCHES]) for place, key in enumerate(tree)]


@dataclass
class Forest(World):
    """Nodes in a database."""

    calls: list[int] = field(default_factory=list)

    def sql(self, statement: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statement)

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert nodes by one statement, so that foreign keys are checked at its end."""
        values = ", ".join(f"({key}, {'NULL' if up is None else up}, 1)" for key, up in rows)
        self.sql(f"INSERT INTO node (id, up_id, size) VALUES {values}")

    def runs(self) -> Counter[str]:
        """Run all that is due. Returns how often each value was made."""
        self.calls.clear()
        return Counter(one.run.work.removeprefix("Node.") for one in self.run())

    def wrong(self) -> list[int]:
        """The nodes whose stored total is not right."""
        with self.engine.connect() as connection:
            rows = connection.exec_driver_sql("SELECT id, up_id, size, total FROM node").all()
        below: dict[int | None, list[int]] = defaultdict(list)
        for row in rows:
            below[row.up_id].append(row.id)
        sizes = {row.id: row.size for row in rows}

        def right(key: int, above: frozenset[int] = frozenset()) -> int:
            if key in above:
                return 0  # in a circle nothing is
            return int(sizes[key] + sum(right(child, above | {key}) for child in below[key]))

        return sorted(row.id for row in rows if row.total != right(row.id))


CALLS: dict[str, list[int]] = {way: [] for way in WAYS}
"""For each way, the nodes whose total was calculated."""


@cache
def base(way: str) -> Any:
    """A model for all forests of a way."""
    return WAYS[way](CALLS[way])


def planted(engine: Engine, way: str, rows: Sequence[Row] = ()) -> Forest:
    """Nodes of which no value has been made."""
    forest = Forest(engine, base(way), calls=CALLS[way])
    forest.calls.clear()
    if rows:
        forest.sql("DELETE FROM afterwork_journal")
        forest.insert(rows)
        forest.sql("DELETE FROM afterwork_journal")  # as if they had been there before
    return forest


def above(rows: Sequence[Row], key: int) -> Iterator[int]:
    """A node, and all above it."""
    ups = dict(rows)
    at: int | None = key
    while at is not None:
        yield at
        at = ups[at]

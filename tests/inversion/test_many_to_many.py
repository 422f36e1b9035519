"""Values in OCL over links of many-to-many: the objects' own table is met again on the way, so that the touches of one
route lead to the objects in two ways."""

from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Table, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


member_of = Table(
    "member_of",
    Base.metadata,
    Column("team_id", ForeignKey("team.id"), primary_key=True),
    Column("person_id", ForeignKey("person.id"), primary_key=True),
)


class Person(Base):
    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    hours: Mapped[int] = mapped_column()


class Team(Base):
    __tablename__ = "team"
    id: Mapped[int] = mapped_column(primary_key=True)
    in_sets: Mapped[int | None] = mapped_column()
    at_commit: Mapped[int | None] = mapped_column()
    noted: Mapped[int | None] = mapped_column()
    people: Mapped[list[Person]] = relationship(secondary=member_of)
    compute_in_sets: Any = aw.derived(in_sets)(aw.ocl("self.people.hours->sum"))
    compute_at_commit: Any = aw.derived(at_commit, at="commit")(aw.ocl("self.people.hours->sum"))
    compute_noted: Any = aw.derived(noted, last_change=True)(aw.ocl("self.people.hours->sum"))


BEGIN = (
    "INSERT INTO team (id) VALUES (1), (2)",
    "INSERT INTO person VALUES (1, 10), (2, 20)",
    "INSERT INTO member_of VALUES (1, 1), (1, 2), (2, 2)",
)

WRITES: dict[str, tuple[int, int]] = {
    "UPDATE person SET hours = 21 WHERE id = 2": (31, 21),
    "DELETE FROM member_of WHERE team_id = 1 AND person_id = 2": (10, 20),
    "INSERT INTO member_of VALUES (2, 1)": (30, 30),
    "UPDATE member_of SET person_id = 1 WHERE team_id = 2": (30, 10),
    "UPDATE team SET in_sets = 0, at_commit = 0, noted = 0": (30, 20),
}


def write(engine: Engine, *statements: str) -> None:
    for statement in statements:
        with engine.begin() as connection:
            connection.execute(text(statement))


def values(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        return [
            tuple(row) for row in connection.execute(text("SELECT in_sets, at_commit, noted FROM team ORDER BY id"))
        ]


@pytest.mark.parametrize("statement", WRITES)
def test_a_sum_over_links_follows_each_write(engine: Engine, statement: str) -> None:
    app = aw.Afterwork(Base)
    Base.metadata.create_all(engine)
    app.install(engine)
    write(engine, *BEGIN)
    app.run_until_idle(engine)
    assert values(engine) == [(30,) * 3, (20,) * 3]
    write(engine, statement)
    app.run_until_idle(engine)
    assert values(engine) == [(right,) * 3 for right in WRITES[statement]]

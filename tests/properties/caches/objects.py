"""More of the model: objects that change their class, that the program hides, and that have odd keys."""

from datetime import date
from typing import Any

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Text, select
from sqlalchemy.orm import Mapped, ORMExecuteState, mapped_column, relationship, with_loader_criteria

import afterwork as aw
from tests.properties.caches.model import Base


class Person(Base):
    """Its subclasses have no tables of their own."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(Text)
    name: Mapped[str] = mapped_column(Text)
    note: Mapped[int] = mapped_column(default=0)
    greeting: Mapped[str] = mapped_column(Text, default="")
    title: Mapped[str] = mapped_column(Text, default="")
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "person"}

    @aw.derived(greeting)
    def compute_greeting(self) -> str:
        return f"{type(self).__name__} {self.name}"


class Manager(Person):
    __mapper_args__ = {"polymorphic_identity": "manager"}

    @aw.derived(Person.title)
    def compute_title(self) -> str:
        return f"M {self.name}"


class Director(Manager):
    __mapper_args__ = {"polymorphic_identity": "director"}

    def compute_title(self) -> str:
        return f"D {self.name}"


class Employee(Base):
    """Its subclass has a table of its own, and calculates otherwise."""

    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    type: Mapped[str] = mapped_column(Text)
    salary: Mapped[int] = mapped_column(default=0)
    pay: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "employee"}

    @aw.derived(pay)
    def compute_pay(self) -> int:
        return self.salary


class Boss(Employee):
    __tablename__ = "boss"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id", ondelete="CASCADE"), primary_key=True)
    bonus: Mapped[int] = mapped_column(default=0)
    share: Mapped[int] = mapped_column(default=0)
    __mapper_args__ = {"polymorphic_identity": "boss"}

    def compute_pay(self) -> int:
        return self.salary + self.bonus

    @aw.derived(share)
    def compute_share(self) -> int:
        return self.bonus * 10


class Task(Base):
    """One that is marked as deleted is hidden from the program."""

    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owner.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(Text)
    deleted: Mapped[bool] = mapped_column(default=False)
    shown: Mapped[str] = mapped_column(Text, default="")

    @aw.derived(shown)
    def compute_shown(self) -> str:
        return self.name.upper()


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    counts: Mapped[str] = mapped_column(Text, default="")
    tasks: Mapped[list[Task]] = relationship(order_by=Task.id, viewonly=True)

    @aw.derived(counts)
    def compute_counts(self) -> str:
        asked = aw.session(self).scalars(select(Task).where(Task.owner_id == self.id)).all()
        return f"{len(self.tasks)} {len(asked)}"


def hide(state: ORMExecuteState) -> None:
    """What is marked as deleted is not found, as SQLAlchemy's documentation shows for all sessions."""
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        only: Any = with_loader_criteria(Task, lambda cls: cls.deleted.is_(False), include_aliases=True)
        state.statement = state.statement.options(only)


class Place(Base):
    """Its key has two parts, of which one may be any text."""

    __tablename__ = "place"
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    note: Mapped[int] = mapped_column(default=0)
    visited: Mapped[int] = mapped_column(default=0)
    visits: Mapped[list["Visit"]] = relationship(back_populates="place", passive_deletes=True)

    @aw.derived(visited)
    def compute_visited(self) -> int:
        return sum(visit.count for visit in self.visits)


class Visit(Base):
    __tablename__ = "visit"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    place_name: Mapped[str | None] = mapped_column(Text)
    place_day: Mapped[date | None]
    count: Mapped[int] = mapped_column(default=0)
    shown: Mapped[str] = mapped_column(Text, default="")
    place: Mapped[Place | None] = relationship(back_populates="visits")
    __table_args__ = (
        ForeignKeyConstraint(
            ["place_name", "place_day"], ["place.name", "place.day"], onupdate="CASCADE", ondelete="SET NULL"
        ),
    )

    @aw.derived(shown)
    def compute_shown(self) -> str:
        return "" if self.place is None else f"{self.place.name}/{self.place.day}:{self.place.visited}"

"""Objects of classes that change, and of a class whose objects a program may hide, each with calculated members."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Engine, ForeignKey, case, func, select, text
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, column_property, mapped_column, relationship

import afterwork as aw
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Person(Base):
    """Its subclass has no table of its own."""

    __tablename__ = "person"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    name: Mapped[str]
    title: Mapped[str | None] = mapped_column()
    greeting: Mapped[str | None] = mapped_column()
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "person"}

    @aw.derived(greeting)
    def compute_greeting(self) -> str:
        return f"{type(self).__name__} {self.name}"


class Manager(Person):
    __mapper_args__ = {"polymorphic_identity": "manager"}

    @aw.derived(Person.title)
    def compute_title(self) -> str:
        return f"Manager {self.name}"


class Director(Manager):
    __mapper_args__ = {"polymorphic_identity": "director"}

    def compute_title(self) -> str:
        return f"Director {self.name}"


class Employee(Base):
    """Its subclass has a table of its own, and calculates otherwise, which the side in SQL doesn't know."""

    __tablename__ = "employee"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    salary: Mapped[int]
    pay: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "employee"}

    @aw.derived(pay)
    def compute_pay(self) -> int:
        return self.salary

    @compute_pay.expression
    def _pay_in_sql(cls: Any) -> Any:
        return cls.salary


class Boss(Employee):
    __tablename__ = "boss"
    id: Mapped[int] = mapped_column(ForeignKey("employee.id"), primary_key=True)
    bonus: Mapped[int]
    share: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"polymorphic_identity": "boss"}

    def compute_pay(self) -> int:
        return self.salary + self.bonus

    @aw.derived(share)
    def compute_share(self) -> int:
        return self.bonus * 10


class Shape(Base):
    """Of which class it is, says an expression."""

    __tablename__ = "shape"
    id: Mapped[int] = mapped_column(primary_key=True)
    sides: Mapped[int] = mapped_column()
    width: Mapped[int]
    area: Mapped[int | None] = mapped_column()
    kind = column_property(case((sides.column == 4, "square"), else_="shape"))  # type: ignore[attr-defined]
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "shape"}


class Square(Shape):
    __mapper_args__ = {"polymorphic_identity": "square"}

    @aw.derived(Shape.area)
    def compute_area(self) -> int:
        return self.width * self.width


class Stable(Base):
    """It names the classes of its animals, asked for in each way."""

    __tablename__ = "stable"
    id: Mapped[int] = mapped_column(primary_key=True)
    animals: Mapped[list["Animal"]] = relationship(order_by="Animal.id")
    horses: Mapped[list["Horse"]] = relationship(order_by="Animal.id", viewonly=True)
    holds: Mapped[str | None] = mapped_column()

    @aw.derived(holds)
    def compute_holds(self) -> str:
        session, alias = aw.session(self), aliased(Animal)
        ways = self.animals, session.scalars(select(Animal)), session.scalars(select(alias)), self.horses
        by_key = session.get(Animal, 1), session.get(Horse, 2), session.scalar(select(func.count(Horse.id)))
        return str([sorted((animal.id, type(animal).__name__) for animal in way) for way in ways]) + str(
            [type(answer).__name__ if isinstance(answer, Animal) else answer for answer in by_key]
        )


class Kind(Base):
    __tablename__ = "kind"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Animal(Base):
    """Of which class it is, says another table."""

    __tablename__ = "animal"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind_id: Mapped[int] = mapped_column()
    legs: Mapped[int]
    stable_id: Mapped[int] = mapped_column(ForeignKey("stable.id"), server_default="1")
    shoes: Mapped[int | None] = mapped_column()
    cry: Mapped[str | None] = mapped_column()
    kind = column_property(
        select(Kind.name)
        .where(Kind.id == kind_id.column)  # type: ignore[attr-defined]
        .correlate_except(Kind)
        .scalar_subquery()
    )
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "animal"}

    @aw.derived(cry)
    def compute_cry(self) -> str:
        return f"on {self.legs} legs"


class Horse(Animal):
    __mapper_args__ = {"polymorphic_identity": "horse"}

    @aw.derived(Animal.shoes)
    def compute_shoes(self) -> int:
        return self.legs

    def compute_cry(self) -> str:
        return f"galloping {super().compute_cry()}"


class Car(Base):
    __tablename__ = "car"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]
    tax: Mapped[int | None] = mapped_column()

    @aw.derived(tax)
    def compute_tax(self) -> int:
        return self.weight


class Truck(Car):
    """Its table has all that is known of it."""

    __tablename__ = "truck"
    id: Mapped[int] = mapped_column(primary_key=True)
    weight: Mapped[int]
    tax: Mapped[int | None] = mapped_column()
    __mapper_args__ = {"concrete": True}

    def compute_tax(self) -> int:
        return 2 * self.weight


class Task(Base):
    """One that is marked as deleted, or whose owner is not active, is hidden from the program."""

    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    deleted: Mapped[bool] = mapped_column(default=False)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owner.id"))
    shown: Mapped[str | None] = mapped_column()
    owner: Mapped["Owner | None"] = relationship()

    @aw.derived(shown)
    def compute_shown(self) -> str:
        return self.name.upper()


class Owner(Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    active: Mapped[bool] = mapped_column(default=True)
    counts: Mapped[str | None] = mapped_column()
    tasks: Mapped[list[Task]] = relationship(viewonly=True)

    @aw.derived(counts)
    def compute_counts(self) -> str:
        asked = aw.session(self).scalars(select(Task).where(Task.owner_id == self.id)).all()
        return f"{len(self.tasks)} {len(asked)}"


class Reminder(Base):
    __tablename__ = "reminder"
    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int]
    text: Mapped[str]


class Reminding(aw.ViewModel[Task]):
    when = aw.WhenStale()

    @aw.action
    def remind(self) -> None:
        session = aw.session(self.root)
        found = session.scalar(select(Reminder).where(Reminder.task_id == self.root.id))
        if found is None:
            session.add(Reminder(task_id=self.root.id, text=self.root.name))
        elif found.text != self.root.name:
            found.text = self.root.name


BEGIN = (
    "INSERT INTO person (id, type, name) VALUES (1, 'person', 'Ann'), (2, 'manager', 'Bob')",
    "INSERT INTO employee (id, type, salary) VALUES (1, 'employee', 10), (2, 'boss', 20)",
    "INSERT INTO boss (id, bonus) VALUES (2, 5)",
    "INSERT INTO shape (id, sides, width) VALUES (1, 3, 2), (2, 4, 3)",
    "INSERT INTO stable (id) VALUES (1)",
    "INSERT INTO kind (id, name) VALUES (1, 'animal'), (2, 'horse')",
    "INSERT INTO animal (id, kind_id, legs) VALUES (1, 1, 2), (2, 2, 4)",
    "INSERT INTO car (id, weight) VALUES (1, 1)",
    "INSERT INTO truck (id, weight) VALUES (1, 7), (2, 8)",
    "INSERT INTO owner (id, active) VALUES (1, true)",
    "INSERT INTO task (id, name, deleted, owner_id) VALUES (1, 'write', false, 1), (2, 'read', false, 1)",
)

CALCULATED: dict[type, dict[str, Callable[[Any], Any]]] = {
    Person: {"greeting": lambda one: one.compute_greeting()},
    Manager: {"title": lambda one: one.compute_title()},
    Employee: {"pay": lambda one: one.compute_pay()},
    Boss: {"share": lambda one: one.compute_share()},
    Square: {"area": lambda one: one.compute_area()},
    Animal: {"cry": lambda one: one.compute_cry()},
    Stable: {"holds": lambda one: one.compute_holds()},
    Horse: {"shoes": lambda one: one.compute_shoes()},
    Car: {"tax": lambda one: one.compute_tax()},
    Truck: {"tax": lambda one: one.compute_tax()},
    Task: {"shown": lambda one: one.compute_shown()},
    Owner: {"counts": lambda one: one.compute_counts()},
}


def wrong(engine: Engine) -> list[str]:
    """The values that are not as they are made from scratch, of all objects that can be seen."""
    with Session(engine) as session:
        return [
            f"{obj!r}.{member} of {obj.id}: {getattr(obj, member)!r} instead of {right(obj)!r}"
            for cls, members in CALCULATED.items()
            for obj in _all(session, cls)
            for member, right in members.items()
            if getattr(obj, member) != right(obj)
        ]


def _all(session: Session, cls: Any) -> Sequence[Any]:
    return session.scalars(select(cls)).all()


def write(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements.split(";"):
            connection.execute(text(statement))


def the_first(engine: Engine) -> None:
    """Objects of all kinds, whose values are made."""
    app = installed(engine, Base)
    for statement in BEGIN:
        write(engine, statement)
    app.run_until_idle(engine)


def counted(engine: Engine) -> dict[str, int]:
    query = "SELECT d.name, count(c.id) FROM afterwork_derivation d LEFT JOIN afterwork_cache c ON c.derivation = d.id"
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(f"{query} GROUP BY d.name"))}


def expected(engine: Engine) -> dict[str, int]:
    """As many caches as there are objects of each class, hidden or not."""
    names = {Person: "Person.greeting", Manager: "Manager.title", Employee: "Employee.pay", Boss: "Boss.share"}
    names |= {Square: "Square.area", Task: "Task.shown", Owner: "Owner.counts"}
    names |= {Animal: "Animal.cry", Stable: "Stable.holds", Horse: "Horse.shoes", Car: "Car.tax", Truck: "Truck.tax"}
    with engine.connect() as connection:
        tasks = connection.execute(text("SELECT count(*) FROM task")).scalar_one()
    with Session(engine) as session:
        found = {name: len(_all(session, cls)) for cls, name in names.items()}
    return found | {"Task.shown": tasks, "Reminding": tasks}

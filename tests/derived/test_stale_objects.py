"""Which objects have a cache follows from what is there: classes that change, rows that go and come back, and rows that
the program hides."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, case, event, select, text
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    column_property,
    mapped_column,
    relationship,
    with_loader_criteria,
)

import afterwork as aw


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
    shoes: Mapped[int | None] = mapped_column()
    kind = column_property(
        select(Kind.name)
        .where(Kind.id == kind_id.column)  # type: ignore[attr-defined]
        .correlate_except(Kind)
        .scalar_subquery()
    )
    __mapper_args__ = {"polymorphic_on": kind, "polymorphic_identity": "animal"}


class Horse(Animal):
    __mapper_args__ = {"polymorphic_identity": "horse"}

    @aw.derived(Animal.shoes)
    def compute_shoes(self) -> int:
        return self.legs


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
        reminder = session.scalar(select(Reminder).where(Reminder.task_id == self.root.id))
        if reminder is None:
            session.add(Reminder(task_id=self.root.id, text=self.root.name))
        elif reminder.text != self.root.name:
            reminder.text = self.root.name


BEGIN = (
    "INSERT INTO person (id, type, name) VALUES (1, 'person', 'Ann'), (2, 'manager', 'Bob')",
    "INSERT INTO employee (id, type, salary) VALUES (1, 'employee', 10), (2, 'boss', 20)",
    "INSERT INTO boss (id, bonus) VALUES (2, 5)",
    "INSERT INTO shape (id, sides, width) VALUES (1, 3, 2), (2, 4, 3)",
    "INSERT INTO kind (id, name) VALUES (1, 'animal'), (2, 'horse')",
    "INSERT INTO animal (id, kind_id, legs) VALUES (1, 1, 2), (2, 2, 4)",
    "INSERT INTO car (id, weight) VALUES (1, 1)",
    "INSERT INTO truck (id, weight) VALUES (1, 7), (2, 8)",
    "INSERT INTO owner (id, active) VALUES (1, true)",
    "INSERT INTO task (id, name, deleted, owner_id) VALUES (1, 'write', false, 1), (2, 'read', false, 1)",
)

WRITES: dict[str, Sequence[str]] = {
    "another class in the same table": [
        "UPDATE person SET type = 'manager'",
        "UPDATE person SET type = 'director', name = 'Cid' WHERE id = 1",
        "UPDATE person SET type = 'person'",
        "UPDATE person SET name = 'Dan'",
        "UPDATE person SET type = 'director'",
    ],
    "another class with a table of its own": [
        "INSERT INTO boss (id, bonus) VALUES (1, 5); UPDATE employee SET type = 'boss'",
        "UPDATE boss SET bonus = 7",
        "UPDATE employee SET type = 'employee' WHERE id = 2; DELETE FROM boss WHERE id = 2",
        "INSERT INTO boss (id, bonus) VALUES (2, 9); UPDATE employee SET type = 'boss' WHERE id = 2",
    ],
    "another class by an expression": [
        "UPDATE shape SET sides = 4 WHERE id = 1",
        "UPDATE shape SET sides = 5, width = 9",
        "UPDATE shape SET sides = 4",
    ],
    "another class by another table": [
        "UPDATE animal SET kind_id = 2, legs = 3",
        "UPDATE kind SET name = 'animal'",
        "UPDATE animal SET legs = 8",
        "UPDATE kind SET name = 'horse' WHERE id = 2",
    ],
    "a class whose table is all its own": [
        "UPDATE truck SET weight = 9",
        "UPDATE car SET weight = 2; INSERT INTO car (id, weight) VALUES (2, 3); DELETE FROM truck WHERE id = 1",
    ],
    "a row that goes and comes back": [
        "DELETE FROM person WHERE id = 2; INSERT INTO person (id, type, name) VALUES (2, 'director', 'Eve')",
        "DELETE FROM boss; DELETE FROM employee",
        "INSERT INTO employee (id, type, salary) VALUES (2, 'employee', 1), (3, 'boss', 1);"
        " INSERT INTO boss (id, bonus) VALUES (3, 1)",
    ],
    "a row that gets another key": [
        "UPDATE person SET id = 12 WHERE id = 2",
        "UPDATE person SET id = 2, name = 'Fay' WHERE id = 12",
    ],
}

CALCULATED: dict[type, dict[str, Callable[[Any], Any]]] = {
    Person: {"greeting": lambda one: one.compute_greeting()},
    Manager: {"title": lambda one: one.compute_title()},
    Employee: {"pay": lambda one: one.compute_pay()},
    Boss: {"share": lambda one: one.compute_share()},
    Square: {"area": lambda one: one.compute_area()},
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


@pytest.fixture
def app(engine: Engine) -> aw.Afterwork:
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    for statement in BEGIN:
        write(engine, statement)
    app.run_until_idle(engine)
    return app


@pytest.mark.parametrize("kind", WRITES)
def test_values_are_those_of_the_class_that_an_object_has_by_now(engine: Engine, app: aw.Afterwork, kind: str) -> None:
    assert wrong(engine) == []
    for statements in WRITES[kind]:
        write(engine, statements)
        app.run_until_idle(engine)
        assert wrong(engine) == []
    assert counted(engine) == expected(engine)


def counted(engine: Engine) -> dict[str, int]:
    query = "SELECT d.name, count(c.id) FROM afterwork_derivation d LEFT JOIN afterwork_cache c ON c.derivation = d.id"
    with engine.connect() as connection:
        return {row[0]: row[1] for row in connection.execute(text(f"{query} GROUP BY d.name"))}


def expected(engine: Engine) -> dict[str, int]:
    """As many caches as there are objects of each class, hidden or not."""
    names = {Person: "Person.greeting", Manager: "Manager.title", Employee: "Employee.pay", Boss: "Boss.share"}
    names |= {Square: "Square.area", Task: "Task.shown", Owner: "Owner.counts"}
    names |= {Horse: "Horse.shoes", Car: "Car.tax", Truck: "Truck.tax"}
    with engine.connect() as connection:
        tasks = connection.execute(text("SELECT count(*) FROM task")).scalar_one()
    with Session(engine) as session:
        counts = {name: len(_all(session, cls)) for cls, name in names.items()}
    return counts | {"Task.shown": tasks, "Reminding": tasks}


def not_deleted(state: ORMExecuteState) -> None:
    """As SQLAlchemy's documentation shows it."""
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        only = with_loader_criteria(Task, lambda cls: cls.deleted.is_(False), include_aliases=True)
        state.statement = state.statement.options(only)


def of_active_owners(state: ORMExecuteState) -> None:
    """By another table."""
    statement: Any = state.statement
    if Task in [description.get("entity") for description in getattr(statement, "column_descriptions", ())]:
        state.statement = statement.where(Task.owner.has(Owner.active.is_(True)))


@pytest.fixture(params=[not_deleted, of_active_owners])
def hiding(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A program that hides tasks; what hides the first one, and what shows it again."""
    event.listen(Session, "do_orm_execute", request.param)
    if request.param is not_deleted:
        yield "UPDATE task SET deleted = true WHERE id = 1", "UPDATE task SET deleted = false"
    else:
        yield "UPDATE owner SET active = false", "UPDATE owner SET active = true"
    event.remove(Session, "do_orm_execute", request.param)


def test_what_is_hidden_rests_and_is_right_when_it_is_seen_again(engine: Engine, hiding: tuple[str, str]) -> None:
    hide, show = hiding
    Base.metadata.create_all(engine)
    app = aw.Afterwork(Base)
    app.install(engine)
    for statement in BEGIN:
        write(engine, statement)
    app.run_until_idle(engine)
    assert wrong(engine) == []
    write(engine, f"{hide}; UPDATE task SET name = 'sleep' WHERE id = 1")
    app.run_until_idle(engine)
    assert wrong(engine) == []
    write(engine, "UPDATE task SET name = 'wake' WHERE id = 1")
    assert app.run_until_idle(engine) == []
    assert counted(engine)["Task.shown"] == 2
    write(engine, show)
    app.run_until_idle(engine)
    assert wrong(engine) == []
    with engine.connect() as connection:
        assert connection.execute(text("SELECT shown FROM task WHERE id = 1")).scalar() == "WAKE"
        assert connection.execute(text("SELECT text FROM reminder WHERE task_id = 1")).scalar() == "wake"
    write(engine, f"{hide}; DELETE FROM task WHERE id = 1")
    app.run_until_idle(engine)
    assert counted(engine)["Task.shown"] == 1


def test_what_hides_others_makes_nothing_run(engine: Engine) -> None:
    event.listen(Session, "do_orm_execute", not_deleted)
    try:
        Base.metadata.create_all(engine)
        app = aw.Afterwork(Base)
        app.install(engine)
        for statement in BEGIN:
            write(engine, statement)
        app.run_until_idle(engine)
        write(engine, "UPDATE task SET deleted = true WHERE id = 1")
        write(engine, "INSERT INTO task (id, name, deleted, owner_id) VALUES (3, 'rest', false, 1)")
        ran = [ended.run.root_id for ended in app.run_until_idle(engine) if ended.run.work == "Task.shown"]
        assert ran == ["Task!3"]
    finally:
        event.remove(Session, "do_orm_execute", not_deleted)

"""Criteria that a program adds to its statements, as for rows that are only marked as deleted: they are read wherever
they decide, however objects are loaded, and nowhere else."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Table, Text, and_, event, exists, func, select, text, union
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    ORMExecuteState,
    Session,
    WriteOnlyMapped,
    aliased,
    immediateload,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
    with_loader_criteria,
)

import afterwork as aw
from afterwork.jobs.run import Succeeded
from tests.support.prepared import installed


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Hideable:
    """What is marked as deleted is hidden."""

    deleted: Mapped[bool] = mapped_column(default=False)


label_of = Table(
    "label_of",
    Base.metadata,
    Column("task_id", ForeignKey("task.id"), primary_key=True),
    Column("label_id", ForeignKey("label.id"), primary_key=True),
)


class Label(Hideable, Base):
    __tablename__ = "label"
    id: Mapped[int] = mapped_column(primary_key=True)


class Owner(Hideable, Base):
    __tablename__ = "owner"
    id: Mapped[int] = mapped_column(primary_key=True)
    tasks: Mapped[list["Task"]] = relationship(order_by="Task.id", viewonly=True)
    joined: Mapped[list["Task"]] = relationship(order_by="Task.id", viewonly=True, lazy="joined")
    selectin: Mapped[list["Task"]] = relationship(order_by="Task.id", viewonly=True, lazy="selectin")
    subquery: Mapped[list["Task"]] = relationship(order_by="Task.id", viewonly=True, lazy="subquery")
    asked: WriteOnlyMapped["Task"] = relationship(order_by="Task.id", viewonly=True)
    large: Mapped[list["Task"]] = relationship(
        order_by="Task.id", viewonly=True, primaryjoin=lambda: and_(Owner.id == Task.owner_id, Task.size > 1)
    )


class Task(Hideable, Base):
    __tablename__ = "task"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(default=1)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("owner.id"))
    owner: Mapped[Owner | None] = relationship()
    labels: Mapped[list[Label]] = relationship(secondary=label_of, order_by=Label.id)


class Clerk(Base):
    """Nothing of one is hidden, wherever its columns are loaded."""

    __tablename__ = "clerk"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    motto: Mapped[str] = mapped_column(deferred=True)
    sign: Mapped[str] = mapped_column(default="", server_default="")
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "clerk"}

    @aw.derived(sign)
    def compute_sign(self) -> str:
        return self.motto


class Chief(Clerk):
    __tablename__ = "chief"
    id: Mapped[int] = mapped_column(ForeignKey("clerk.id"), primary_key=True)
    floor: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "chief"}

    def compute_sign(self) -> str:
        return f"{self.floor}: {self.motto}"


Way = Callable[[Any], str]
"""How a note comes to what it says."""


def ids(found: Any) -> str:
    return ",".join(str(one.id) for one in found)


def of_owner(name: str) -> Way:
    return lambda note: "none" if note.owner is None else ids(getattr(note.owner, name))


def asked(statement: Callable[[Any], Any]) -> Way:
    return lambda note: ",".join(str(one) for one in aw.session(note).scalars(statement(note)))


def entities(statement: Callable[[Any], Any]) -> Way:
    return lambda note: ids(aw.session(note).scalars(statement(note)).unique())


def aliased_task(note: Any) -> Any:
    other = aliased(Task)
    return select(other).where(other.owner_id == note.owner_id).order_by(other.id)


def both_ways(note: Any) -> Any:
    mine = select(Task.id).where(Task.owner_id == note.owner_id, Task.size > 1)
    return union(mine, select(Task.id).where(Task.owner_id == note.owner_id)).order_by("id")


def of_known_owner(*options: Any) -> Way:
    """Load tasks by a statement of its own, of an owner that the session has already, without its tasks."""

    def way(note: Any) -> str:
        if note.owner is None:
            return "none"
        same = select(Owner).where(Owner.id == note.owner_id).options(*options)
        return ";".join(ids(owner.tasks) for owner in aw.session(note).scalars(same).unique())

    return way


large = with_loader_criteria(Task, Task.size > 2)

WAYS: dict[str, Way] = {
    "an end, its own criteria, by a join": of_known_owner(large, joinedload(Owner.tasks)),
    "an end, its own criteria, by keys": of_known_owner(large, selectinload(Owner.tasks)),
    "an end, its own criteria, by a subquery": of_known_owner(large, subqueryload(Owner.tasks)),
    "an end, its own criteria, at once": of_known_owner(large, immediateload(Owner.tasks)),
    "an end": of_owner("tasks"),
    "an end that is loaded by a join": of_owner("joined"),
    "an end that is loaded by keys": of_owner("selectin"),
    "an end that is loaded by a subquery": of_owner("subquery"),
    "an end with a condition": of_owner("large"),
    "an end that is asked": lambda note: (
        "none" if note.owner is None else ids(aw.session(note).scalars(note.owner.asked.select()))
    ),
    "one object": lambda note: ids([note.task] if note.task else []),
    "a table between": lambda note: "none" if note.task is None else ids(note.task.labels),
    "an object by its key": lambda note: str(aw.session(note).get(Task, note.task_id) is not None),
    "objects": entities(lambda note: select(Task).where(Task.owner_id == note.owner_id).order_by(Task.id)),
    "objects of an alias": entities(aliased_task),
    "objects and their ends": lambda note: ";".join(
        ids(owner.tasks)
        for owner in aw.session(note).scalars(select(Owner).where(Owner.id == note.owner_id).limit(1)).unique()
    ),
    "columns of a class's own table, that are loaded later": lambda note: str(note.clerk.floor),
    "columns that are loaded when they are read": lambda note: note.clerk.motto,
    "columns": asked(lambda note: select(Task.size).where(Task.owner_id == note.owner_id).order_by(Task.id)),
    "a number": asked(lambda note: select(func.count()).select_from(Task).where(Task.owner_id == note.owner_id)),
    "a join": asked(lambda note: select(Task.id).join(Task.owner).where(Owner.id == note.owner_id).order_by(Task.id)),
    "an outer join": asked(
        lambda note: select(func.count(Task.id)).select_from(Owner).outerjoin(Task, Task.owner_id == Owner.id)
        .where(Owner.id == note.owner_id)
    ),
    "whether there are any": asked(lambda note: select(Owner.id).where(Owner.id == note.owner_id, Owner.tasks.any())),
    "whether there are any, in other words": asked(
        lambda note: select(Owner.id).where(Owner.id == note.owner_id, ~exists().where(Task.owner_id == Owner.id))
    ),
    "a subquery": asked(
        lambda note: select(select(func.max(Task.id)).where(Task.owner_id == Owner.id).scalar_subquery())
        .where(Owner.id == note.owner_id)
    ),
    "a union": asked(both_ways),
}  # fmt: skip


def says(way: Way) -> Any:
    def compute(self: Any) -> str:
        return way(self)

    return compute


class Note(Base):
    """What all is read of: nothing of its own is hidden. It says something in each way."""

    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owner.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    owner: Mapped[Owner | None] = relationship()
    task: Mapped[Task | None] = relationship()
    clerk_id: Mapped[int] = mapped_column(ForeignKey("clerk.id"))
    clerk: Mapped[Clerk] = relationship()
    for number, way in enumerate(WAYS.values()):
        vars()[f"says_{number}"] = mapped_column(Text, default="", server_default="")
        vars()[f"compute_{number}"] = aw.derived(vars()[f"says_{number}"])(says(way))


def hidden() -> Any:
    return with_loader_criteria(Hideable, lambda cls: cls.deleted.is_(False), include_aliases=True)


def recipe(state: ORMExecuteState) -> None:
    """As SQLAlchemy's documentation shows it."""
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        state.statement = state.statement.options(hidden())


def every_statement(state: ORMExecuteState) -> None:
    if state.is_select:
        state.statement = state.statement.options(hidden())


def where_it_is_loaded(state: ORMExecuteState) -> None:
    mapper = state.bind_mapper
    if state.is_select and mapper is not None and issubclass(mapper.class_, Hideable):
        state.statement = state.statement.options(hidden())


def where_ends_are_loaded(state: ORMExecuteState) -> None:
    if state.is_relationship_load:
        state.statement = state.statement.options(hidden())


def this_statement_alone(state: ORMExecuteState) -> None:
    if state.is_select and not state.is_column_load:
        only: Any = with_loader_criteria(
            Hideable, lambda cls: cls.deleted.is_(False), include_aliases=True, propagate_to_loaders=False
        )
        state.statement = state.statement.options(only)


def by_another_table(state: ORMExecuteState) -> None:
    if state.is_select and not state.is_column_load and not state.is_relationship_load:
        shown = select(Label.id).where(Label.id == Task.id, Label.deleted.is_(False)).exists()
        state.statement = state.statement.options(with_loader_criteria(Task, shown))


OFTEN = [recipe, by_another_table]
SELDOM = [every_statement, where_it_is_loaded, where_ends_are_loaded, this_statement_alone]

BEGIN = """
INSERT INTO owner (id, deleted) VALUES (1, false), (2, false), (3, false);
INSERT INTO task (id, size, owner_id, deleted) VALUES (1, 1, 1, false), (2, 2, 1, false), (3, 3, 2, false), (4, 4, 3, false);
INSERT INTO label (id, deleted) VALUES (1, false), (2, false), (3, false), (4, false);
INSERT INTO label_of (task_id, label_id) VALUES (1, 1), (1, 2), (2, 3), (3, 4);
INSERT INTO clerk (id, type, motto) VALUES (1, 'chief', 'slow'), (3, 'chief', 'slower');
INSERT INTO chief (id, floor) VALUES (1, 1), (3, 2);
INSERT INTO note (id, owner_id, task_id, clerk_id) VALUES (1, 1, 1, 1), (3, 3, 4, 3)
"""  # noqa: E501

WRITES = (
    "UPDATE task SET deleted = true WHERE id = 1; UPDATE label SET deleted = true WHERE id IN (2, 3)",
    "INSERT INTO task (id, size, owner_id, deleted) VALUES (5, 5, 1, true), (6, 6, 2, true)",
    "UPDATE task SET deleted = NOT deleted WHERE id IN (1, 2, 3)",
    "UPDATE task SET size = 5 - size",
    "UPDATE chief SET floor = floor + 1; UPDATE clerk SET motto = 'slowest' WHERE id = 3",
    "UPDATE owner SET deleted = true WHERE id = 1; UPDATE label SET deleted = NOT deleted",
)


@pytest.fixture
def app(engine: Engine, listener: Callable[[ORMExecuteState], None]) -> Iterator[aw.Afterwork]:
    app = installed(engine, Base)
    write(engine, BEGIN)
    event.listen(Session, "do_orm_execute", listener)
    app.run_until_idle(engine)
    yield app
    event.remove(Session, "do_orm_execute", listener)


def write(engine: Engine, statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements.split(";"):
            connection.execute(text(statement))


def wrong(engine: Engine) -> list[str]:
    """What notes do not say as they do by themselves."""
    complaints = []
    with Session(engine) as session:
        for (number, (name, way)), note in product(enumerate(WAYS.items()), (1, 3)):
            obj = session.get_one(Note, note)
            stored, right = getattr(obj, f"says_{number}"), way(obj)
            if stored != right:
                complaints.append(f"{name} of {note}: {stored!r} instead of {right!r}")
            session.expunge_all()
    return complaints


@pytest.mark.parametrize("listener", OFTEN, ids=lambda listener: listener.__name__)
def test_values_are_right_whatever_criteria_hide(engine: Engine, app: aw.Afterwork) -> None:
    remain_right(engine, app)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("listener", SELDOM, ids=lambda listener: listener.__name__)
def test_values_are_right_wherever_criteria_are_added(engine: Engine, app: aw.Afterwork) -> None:
    """What is loaded how hardly depends on the database."""
    remain_right(engine, app)


def remain_right(engine: Engine, app: aw.Afterwork) -> None:
    assert wrong(engine) == []
    for statements in WRITES:
        write(engine, statements)
        ended = app.run_until_idle(engine)
        assert wrong(engine) == [], statements
        assert all(isinstance(run.outcome, Succeeded) for run in ended)


def in_vain(ended: list[aw.Ended]) -> set[str]:
    """The ways by which others than the third note have run."""
    ways = list(WAYS)
    return {ways[int(one.run.work.rpartition("_")[2])] for one in ended if one.run.root_id != "Note!3"}


@pytest.mark.parametrize("listener", OFTEN, ids=lambda listener: listener.__name__)
def test_what_is_hidden_makes_nothing_run_that_has_not_read_it(engine: Engine, app: aw.Afterwork) -> None:
    write(engine, "UPDATE task SET deleted = true WHERE id = 4; INSERT INTO label (id, deleted) VALUES (5, true)")
    assert in_vain(app.run_until_idle(engine)) == set()
    write(
        engine, "INSERT INTO task (id, size, owner_id, deleted) VALUES (7, 7, 3, true); DELETE FROM label WHERE id = 5"
    )
    assert in_vain(app.run_until_idle(engine)) == set()


@pytest.mark.parametrize("listener", OFTEN, ids=lambda listener: listener.__name__)
@pytest.mark.parametrize("alone", [1, 3])
def test_columns_that_are_loaded_later_read_no_criteria(engine: Engine, app: aw.Afterwork, alone: int) -> None:
    """They need none, whether an object's are loaded alone or with those of others."""
    write(engine, f"DELETE FROM note; UPDATE clerk SET motto = 'fast'; UPDATE chief SET floor = 5 WHERE id = {alone}")
    app.run_until_idle(engine)
    write(engine, f"UPDATE chief SET floor = 6 WHERE id = {alone}")
    assert [run.run.root_id for run in app.run_until_idle(engine)] == [f"Clerk!{alone}"]
    write(engine, "UPDATE task SET deleted = NOT deleted; UPDATE label SET deleted = NOT deleted")
    assert app.run_until_idle(engine) == []

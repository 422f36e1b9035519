"""What a view model writes is known, whatever it writes with: who reads it runs after it."""

from collections.abc import Callable, Mapping

import pytest
from sqlalchemy import Engine, ForeignKey, bindparam, delete, insert, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column, relationship

from afterwork.derived.compute.written_columns import noting_writes
from afterwork.store.journal.tracked_table import TrackedTable, TrackedTables

Written = Mapping[str, str]
"""The columns that are written, by their tables; "*" for all of them."""


class Base(DeclarativeBase): ...


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column("st", key="stk", default="new")
    total: Mapped[int] = mapped_column(default=0)
    changes: Mapped[int] = mapped_column(default=0, onupdate=1)
    notes: Mapped[list["Note"]] = relationship(cascade="all, delete-orphan")


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    title: Mapped[str] = mapped_column(default="")


TABLES = TrackedTables(
    TrackedTable(tuple(column.name for column in table.columns), (), number, table, {})
    for number, table in enumerate(Base.metadata.sorted_tables, 1)
)

orders, notes = Base.metadata.tables["orders"], Base.metadata.tables["note"]


def upsert(session: Session) -> None:
    build = postgresql.insert if session.connection().dialect.name == "postgresql" else sqlite.insert
    session.execute(build(Order).values(id=1).on_conflict_do_update(index_elements=["id"], set_={"total": 2}))


def of_the_object(session: Session) -> Order:
    return session.get_one(Order, 1)


def by_a_subquery(session: Session) -> None:
    deleted = select(Order.total).where(Order.id == 1).scalar_subquery()
    session.execute(update(notes).values(title=deleted))


WAYS: dict[str, tuple[Callable[[Session], object], Written]] = {
    "a flushed change": (lambda session: setattr(of_the_object(session), "total", 2), {"orders": "total changes"}),
    "a new object": (lambda session: session.add(Note(id=2, order_id=1)), {"note": "*"}),
    "a deleted object": (lambda session: session.delete(of_the_object(session).notes[0]), {"note": "*"}),
    "update of a class": (lambda session: session.execute(update(Order).values(state="x")), {"orders": "st changes"}),
    "update of an alias": (
        lambda session: session.execute(update(aliased(Order)).values(total=1)),
        {"orders": "total changes"},
    ),
    "update of a table": (lambda session: session.execute(update(orders).values(stk="x")), {"orders": "st changes"}),
    "update of a table by another name": (
        lambda session: session.execute(update(orders.alias("o")).values(total=1)),  # type: ignore[arg-type]
        {"orders": "total changes"},
    ),
    "update of a table, of the rows of a class": (
        lambda session: session.execute(update(orders).where(Order.total == 0).values(stk="x")),
        {"orders": "st changes"},
    ),
    "delete from a table, of the rows of a class": (
        lambda session: session.execute(notes.delete().where(Note.id > 3)),
        {"note": "*"},
    ),
    "in an order": (
        lambda session: session.execute(update(orders).ordered_values((orders.c.total, 1), (orders.c.stk, "x"))),
        {"orders": "st total changes"},
    ),
    "by parameters": (
        lambda session: session.connection().execute(
            update(orders).where(orders.c.id == bindparam("number")), [{"number": 1, "total": 2}]
        ),
        {"orders": "total changes"},
    ),
    "by keys, in bulk": (
        lambda session: session.execute(update(Order), [{"id": 1, "total": 3}]),
        {"orders": "total changes"},
    ),
    "by mappings": (
        lambda session: session.bulk_update_mappings(Note.__mapper__, [{"id": 1, "title": "a"}]),
        {"note": "title"},
    ),
    "in bulk": (lambda session: session.execute(insert(Note), [{"id": 2, "order_id": 1}]), {"note": "*"}),
    "by Query": (
        lambda session: session.query(Order).filter_by(id=1).update({"total": 4}),
        {"orders": "total changes"},
    ),
    "an upsert": (upsert, {"orders": "*"}),
    "from a select": (
        lambda session: session.execute(
            insert(notes).from_select(["id", "order_id", "title"], select(orders.c.id + 1, orders.c.id, literal("a")))
        ),
        {"note": "*"},
    ),
    "with a subquery": (by_a_subquery, {"note": "title"}),
    "a delete": (lambda session: session.execute(delete(Note)), {"note": "*"}),
    "only reading": (lambda session: session.scalars(select(Order)).all(), {}),
}


@pytest.fixture
def session(engine: Engine) -> Session:
    Base.metadata.create_all(engine)
    with Session(engine) as session, session.begin():
        session.add(Order(id=1, notes=[Note(id=1)]))
    return Session(engine)


def written_by(session: Session, write: Callable[[Session], object]) -> Written:
    with session, noting_writes(session, TABLES) as written:
        write(session)
        session.flush()
    tables = {TABLES.by_id[number]: mask for number, mask in written.items()}
    return {
        table.table.name: "*" if mask.bit_length() > len(table.columns) else " ".join(table.names(mask))
        for table, mask in tables.items()
    }


@pytest.mark.parametrize("way", WAYS)
def test_the_columns_that_a_run_writes_are_noted(session: Session, way: str) -> None:
    write, written = WAYS[way]
    assert written_by(session, write) == written


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_what_a_query_writes_on_its_way_is_noted(session: Session) -> None:
    changed = update(orders).values(total=5).returning(orders.c.id).cte()
    assert written_by(session, lambda session: session.execute(select(changed))) == {"orders": "total changes"}

"""The reads of statements."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import Date, and_, bindparam, case, cast, exists, func, insert, literal, select, text, true, tuple_
from sqlalchemy.orm import Query, Session, aliased, joinedload, with_polymorphic

from afterwork.derived.manifest.reads import Reads
from afterwork.derived.tracking.query import StatementReader, step_reads
from afterwork.derived.tracking.query import statement_reader as reader_module
from afterwork.errors import CantTrack, NotWatched, TextualSQL
from afterwork.store.tables import lane
from tests.support.tracking.scene import Clerk, Customer, Guest, Line, Log, Order, Person, Remark, Scene, Tag

Statement = Callable[[], Any]


@dataclass(frozen=True)
class Read:
    """Reads, as a scene puts them into words."""

    found: Reads

    def reads(self) -> Reads:
        return self.found


def read(scene: Scene, session: Session, statement: Any, reader: StatementReader | None = None, **options: Any) -> Any:
    """Return the reads of a statement in words, and the number of queries that it took."""
    reader = reader or StatementReader(scene.tracked_tables, scene.engine.dialect)
    reads = Reads()
    connection = session.connection()
    scene.statements.clear()
    parameters = options.pop("parameters", {})
    reader.read(statement, parameters, connection, reads, **options)
    words: Any = Read(reads)
    return scene.in_words(words), len(scene.statements)


def totals() -> Any:
    sums = select(Order.customer_id, func.sum(Order.amount).label("total")).group_by(Order.customer_id)
    return sums.subquery()


def customers_with_totals() -> Any:
    found = totals()
    return select(Customer.name, found.c.total).join(found, found.c.customer_id == Customer.id)


def sponsors() -> Any:
    sponsor = aliased(Customer)
    return select(Customer).join(sponsor, Customer.sponsor_id == sponsor.id).where(sponsor.name == "Ann")


def cheapest() -> Any:
    cheap = select(Order.amount).where(Order.customer_id == Customer.id).order_by(Order.amount).limit(1)
    return select(Customer.name, cheap.lateral("cheap").c.amount).where(Customer.id == 1)


def more_than_one_order() -> Any:
    number = select(func.count(Order.id)).where(Order.customer_id == Customer.id).scalar_subquery()
    return select(Customer).where(number > 1)


WITHOUT_QUERY: dict[str, tuple[Statement, set[str]]] = {
    "all objects": (lambda: select(Order), {"order_ ? all:"}),
    "an equality": (lambda: select(Order).where(Order.customer_id == 1), {"order_ ? customer_id=1:"}),
    "two equalities": (
        lambda: select(Order).where(Order.customer_id == 1, Order.number == 8),
        {"order_ ? customer_id=1,number=8:"},
    ),
    "an equality and another condition": (
        lambda: select(Order).where(and_(Order.customer_id == 1, Order.amount > 3)),
        {"order_ ? customer_id=1: amount"},
    ),
    "an order": (lambda: select(Order).order_by(Order.amount).limit(1), {"order_ ? all: amount"}),
    "values": (lambda: select(Order.amount).where(Order.customer_id == 1), {"order_ ? customer_id=1: amount"}),
    "one row": (lambda: select(Customer.name).where(Customer.id == 1), {"customer 1: name"}),
    "one row of two columns": (
        lambda: select(Line.amount).where(Line.order_id == 1, Line.position == 2),
        {"line 1/2: amount"},
    ),
    "a part of a key": (lambda: select(Line).where(Line.order_id == 1), {"line ? order_id=1:"}),
    "some values": (
        lambda: select(Order).where(Order.number.in_([7, 8])),
        {"order_ ? number=7:", "order_ ? number=8:"},
    ),
    "null": (lambda: select(Order).where(Order.clerk_id.is_(None)), {"order_ ? clerk_id=\x00:"}),
    "an object": (lambda: select(Order).where(Order.customer == Customer(id=1)), {"order_ ? customer_id=1:"}),
    "OR": (
        lambda: select(Order).where((Order.customer_id == 1) | (Order.number == 8)),
        {"order_ ? all: customer_id number"},
    ),
    "a pair": (lambda: select(Line).where(tuple_(Line.order_id, Line.position).in_([(1, 2)])), {"line ? all:"}),
    "a column that is not valued": (lambda: select(Order).where(Order.amount == 10), {"order_ ? all: amount"}),
    "an aggregate": (
        lambda: select(func.sum(Order.amount)).where(Order.customer_id == 1),
        {"order_ ? customer_id=1: amount"},
    ),
    "CASE": (lambda: select(case((Order.amount > 1, Order.note), else_="")), {"order_ ? all: amount note"}),
    "a window": (
        lambda: select(Order.id, func.row_number().over(order_by=Order.amount)).where(Order.customer_id == 1),
        {"order_ ? customer_id=1: amount"},
    ),
    "a union": (
        lambda: select(Order.id).where(Order.number == 8).union(select(Order.id).where(Order.number == 7)),
        {"order_ ? number=7:", "order_ ? number=8:"},
    ),
    "a subquery in FROM": (
        lambda: select(func.count()).select_from(select(Order).where(Order.customer_id == 1).subquery()),
        {"order_ ? customer_id=1:"},
    ),
    "WITH": (
        lambda: select(func.count()).select_from(select(Order.id).where(Order.number == 8).cte()),
        {"order_ ? number=8:"},
    ),
    "EXISTS alone": (lambda: select(exists().where(Order.number == 8)), {"order_ ? number=8:"}),
    "a subclass": (lambda: select(Guest), {"person ? kind=guest:"}),
    "a value of a subclass": (lambda: select(Clerk.name).where(Clerk.id == 2), {"clerk 2:", "person 2: name"}),
    "an outer join": (
        lambda: select(Customer.name, Order.amount).outerjoin(Customer.orders).where(Customer.id == 2),
        {"customer 2: name", "order_ ? customer_id=2: amount"},
    ),
    "a member that is a subquery": (
        lambda: select(Customer.order_count).where(Customer.id == 1),  # type: ignore[attr-defined]
        {"customer 1:", "order_ ? customer_id=1:"},
    ),
    "LATERAL": (cheapest, {"customer 1: name", "order_ ? customer_id=1: amount"}),
    "a full join": (
        lambda: select(Order.id).join(Line, full=True),
        {"line ? all: order_id position amount", "order_ ? all: id customer_id number amount note clerk_id"},
    ),
    "what is loaded along": (lambda: select(Customer).options(joinedload(Customer.orders)), {"customer ? all:"}),
    "a table of Afterwork": (lambda: select(lane.c.name), set()),
    "nothing": (lambda: select(literal(1)), set()),
}

WITH_ONE_QUERY: dict[str, tuple[Statement, set[str]]] = {
    "values of rows that are narrowed further": (
        lambda: select(Order.amount).where(Order.customer_id == 1, Order.number > 7),
        {"order_ ? customer_id=1: number", "order_ 1: amount"},
    ),
    "a join": (
        lambda: select(func.sum(Line.amount)).join(Order).where(Order.customer_id == 1),
        {"order_ ? customer_id=1:", "line ? order_id=1: amount", "line ? order_id=2: amount"},
    ),
    "a join by WHERE": (
        lambda: select(Line.amount).where(Line.order_id == Order.id, Order.number == 8),
        {"order_ ? number=8:", "line ? order_id=1: amount"},
    ),
    "three tables": (
        lambda: (
            select(Customer.town, func.sum(Line.amount))
            .join(Customer.orders)
            .join(Order.lines)
            .where(Customer.name == "Ann")
            .group_by(Customer.town)
        ),
        {
            "customer ? name=Ann: town",
            "order_ ? customer_id=1:",
            "line ? order_id=1: amount",
            "line ? order_id=2: amount",
        },
    ),
    "a join by two columns": (
        lambda: select(Remark).join(Remark.line).where(Line.order_id == 1),
        {"line ? order_id=1:", "remark ? order_id=1,position=1:", "remark ? order_id=1,position=2:"},
    ),
    "a join with itself": (sponsors, {"customer ? name=Ann:", "customer ? sponsor_id=1:"}),
    "any": (
        lambda: select(Customer).where(Customer.orders.any(Order.number == 8)),
        {"order_ ? number=8: customer_id", "customer 1:"},
    ),
    "has": (
        lambda: select(Order).where(Order.customer.has(Customer.name == "Ann")),
        {"customer ? name=Ann:", "order_ ? customer_id=1:"},
    ),
    "any by a link table": (
        lambda: select(Order).where(Order.tags.any(Tag.name == "red")),
        {"tag ? name=red:", "order_tag ? tag_id=1:", "order_ 1:"},
    ),
    "IN with a subquery": (
        lambda: select(Customer).where(Customer.id.in_(select(Order.customer_id).where(Order.number == 8))),
        {"order_ ? number=8: customer_id", "customer 1:"},
    ),
    "a scalar subquery": (
        more_than_one_order,
        {"customer ? all:", "order_ ? customer_id=1:", "order_ ? customer_id=2:"},
    ),
    "groups in a subquery": (
        customers_with_totals,
        {"order_ ? all: customer_id", "order_ 1: amount", "order_ 2: amount", "customer 1: name"},
    ),
    "a class in two tables": (lambda: select(Clerk).where(Clerk.desk == "A"), {"clerk ? desk=A:", "person 1: kind"}),
    "a class with its subclasses": (
        lambda: select(with_polymorphic(Person, [Clerk])),
        {"person ? all: kind", "clerk 1:", "clerk 2:", "clerk 3:"},
    ),
}


@pytest.mark.parametrize("kind", WITHOUT_QUERY)
def test_values_in_the_statement_take_no_query(scene: Scene, session: Session, kind: str) -> None:
    statement, expected = WITHOUT_QUERY[kind]
    assert read(scene, session, statement()) == (expected, 0)


@pytest.mark.parametrize("kind", WITH_ONE_QUERY)
def test_values_of_other_rows_take_one_query(scene: Scene, session: Session, kind: str) -> None:
    statement, expected = WITH_ONE_QUERY[kind]
    assert read(scene, session, statement()) == (expected, 1)


def test_parameters_come_with_the_statement_or_apart_from_it(scene: Scene, session: Session) -> None:
    query = select(Order.note).join(Line).where(Order.number == bindparam("number"), Line.amount > bindparam("least"))
    reader = StatementReader(scene.tracked_tables, scene.engine.dialect)
    for number, order in ((8, 1), (7, 2)):
        parameters = {"number": number, "least": 1, "other": 3}
        words, _ = read(scene, session, query, reader, parameters=parameters)
        assert words == {f"order_ ? number={number}:", f"order_ {order}: note", f"line ? order_id={order}: amount"}


def test_statements_that_differ_in_values_share_a_plan(scene: Scene, session: Session) -> None:
    reader = StatementReader(scene.tracked_tables, scene.engine.dialect)
    for name, expected in (("Ann", {"customer ? name=Ann:", "order_ ? customer_id=1:"}), ("x", {"customer ? name=x:"})):
        query = select(Order).where(Order.customer.has(Customer.name == name))
        assert read(scene, session, query, reader)[0] == expected
    assert reader.cached_plans == 1


def test_rows_that_become_no_objects_count_with_all_columns(scene: Scene, session: Session) -> None:
    query = select(Tag).where(Tag.name == "red")
    assert read(scene, session, query)[0] == {"tag ? name=red:"}
    words, _ = read(scene, session, select(Order).where(Order.number == 8), entities=False)
    assert words == {"order_ ? number=8: customer_id amount note clerk_id"}


def test_legacy_queries_are_read_as_well(scene: Scene, session: Session) -> None:
    asked: Query[Any] = session.query(Order).filter_by(number=8)
    assert read(scene, session, asked.statement)[0] == {"order_ ? number=8:"}


def test_more_than_a_hundred_values_count_as_all_values(scene: Scene, session: Session) -> None:
    assert len(read(scene, session, select(Order).where(Order.number.in_(range(100))))[0]) == 100
    assert read(scene, session, select(Order).where(Order.number.in_(range(101))))[0] == {"order_ ? all: number"}
    both = select(Order).where(Order.number.in_(range(90)), Order.customer_id.in_([1, 2]))
    assert read(scene, session, both)[0] == {
        "order_ ? customer_id=1: number",
        "order_ ? customer_id=2: number",
    }


def test_more_than_ten_thousand_rows_count_as_all_rows(
    scene: Scene, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "MAX_ROWS", 1)
    assert step_reads.MAX_ROWS == 10_000
    query = select(func.sum(Line.amount)).join(Order).where(Order.customer_id == 1)
    assert read(scene, session, query)[0] == {"order_ ? customer_id=1:", "line ? all: amount"}
    narrowed = select(Order.amount).where(Order.customer_id == 1, Order.number > 1)
    assert read(scene, session, narrowed)[0] == {
        "order_ ? customer_id=1: number amount",
        "order_ ? customer_id=1: number",
    }


def test_a_value_that_a_column_cannot_have_reads_all_rows(scene: Scene, session: Session) -> None:
    query = select(Order).where(Order.number == bindparam("number"))
    assert read(scene, session, query, parameters={"number": 7.5})[0] == {"order_ ? all: number"}


TEXTS: dict[str, Statement] = {
    "a text": lambda: text("SELECT 1"),
    "a condition": lambda: select(Order).where(text("number = 7")),
    "in a subquery": lambda: select(Customer).where(Customer.orders.any(text("1 = 1"))),
    "in a subquery in FROM": lambda: select(select(Order.id).where(text("1 = 1")).subquery().c.id),
    "columns of a text": lambda: text("SELECT 1 AS id").columns(Order.id),
    "an order": lambda: select(Order).order_by(text("number")),
    "an operator": lambda: select(Order.id.op("+ (SELECT max(number) FROM order_) +")(0)),
    "a time for an operator": lambda: select(Order.id).where(Order.note.op("< current_timestamp OR 1 =")(0)),
    "after a select": lambda: select(Order.id).suffix_with("ORDER BY number LIMIT 1"),
    "before a select": lambda: select(Order.id).prefix_with("(SELECT max(number) FROM order_),"),
    "after a select, within another": lambda: select(
        select(Order.id).suffix_with("ORDER BY number LIMIT 1").scalar_subquery()
    ),
    "under a full join": lambda: select(Order.id).join(Line, text("true"), full=True),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_textual_sql_in_statements_is_refused(scene: Scene, session: Session, kind: str) -> None:
    with pytest.raises(TextualSQL):
        read(scene, session, TEXTS[kind]())


HARMLESS: dict[str, Statement] = {
    "operators": lambda: select(Order.id.op("OPERATOR(pg_catalog.+)")(1), Order.id.op("<<")(1)),
    "a comment": lambda: select(Order.id).prefix_with("/* a report (weekly) */"),
    "a word": lambda: select(Order.id).prefix_with("ALL"),
}


@pytest.mark.parametrize("kind", HARMLESS)
def test_texts_that_read_nothing_are_accepted(scene: Scene, session: Session, kind: str) -> None:
    words, _ = read(scene, session, HARMLESS[kind]())
    assert words == {"order_ ? all: id"} or words == {"order_ ? all:"}


OF_A_CONNECTION = ("changes", "last_insert_rowid", "lastval", "txid_current", "pg_backend_pid")


@pytest.mark.parametrize("name", OF_A_CONNECTION)
def test_what_depends_on_the_connection_is_refused(scene: Scene, session: Session, name: str) -> None:
    with pytest.raises(CantTrack, match="on each connection"):
        read(scene, session, select(getattr(func, name)()))


MOMENTS: dict[str, Statement] = {
    "now": lambda: select(func.now()),
    "a condition": lambda: select(Order).where(func.current_timestamp() > Order.note),
    "a subquery": lambda: select(Customer).where(Customer.orders.any(Order.note < func.now())),
    "date of now": lambda: select(func.date("now")),
    "a cast": lambda: select(cast("today", Date)),
    "random": lambda: select(Order).order_by(func.random()),
    "a sample": lambda: select(Order.__table__.tablesample(10).c.id),
}


@pytest.mark.parametrize("kind", MOMENTS)
def test_what_depends_on_time_or_chance_is_refused(scene: Scene, session: Session, kind: str) -> None:
    with pytest.raises(CantTrack, match=r"aw\.passed"):
        read(scene, session, MOMENTS[kind]())


def test_the_current_time_is_refused_also_after_other_dates(scene: Scene, session: Session) -> None:
    reader = StatementReader(scene.tracked_tables, scene.engine.dialect)
    read(scene, session, select(func.date("2024-01-01")), reader)
    with pytest.raises(CantTrack):
        read(scene, session, select(func.date("now")), reader)


def test_tables_that_are_not_tracked_are_refused(scene: Scene, session: Session) -> None:
    for query in (
        select(Log),
        select(Customer).where(Customer.logs.any()),
        select(Log.id).join(Line, true(), full=True),
    ):
        with pytest.raises(NotWatched, match="log"):
            read(scene, session, query)


def test_statements_that_write_are_refused_inside_of_others(scene: Scene, session: Session) -> None:
    written = insert(Tag).values(name="x").returning(Tag.id).cte()
    with pytest.raises(CantTrack, match="writes"):
        read(scene, session, select(written.c.id))


def test_recursion_reads_its_tables_as_a_whole(scene: Scene, session: Session) -> None:
    below = select(Customer.id).where(Customer.id == 1).cte(recursive=True)
    below = below.union(select(Customer.id).join(below, Customer.sponsor_id == below.c.id))
    words, count = read(scene, session, select(below.c.id))
    assert words == {"customer ? all: id name street town sponsor_id"}
    assert count == 0

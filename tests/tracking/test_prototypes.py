"""Data is loaded once for all roots of a batch: each finds what it would find alone, and has the same reads."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, inspect, select, text
from sqlalchemy.orm import ORMExecuteState, Session, with_loader_criteria

from afterwork.derived.tracking.prototypes import Prototypes
from afterwork.derived.tracking.recorder import Recorder
from afterwork.errors import NotWatched
from afterwork.jobs.roots import OWN
from afterwork.jobs.session import LoadSession, ReadSession
from tests.support.tracking.members import ALL_MEMBERS
from tests.support.tracking.scene import NOW, Card, Clerk, Customer, Line, Log, Order, Person, Remark, Scene

LINK_ROW_QUERY = "SELECT DISTINCT order_tag."
"""The start of the query by which a recorder loads link rows."""


@pytest.fixture
def prototypes(scene: Scene) -> Iterator[Prototypes]:
    with scene.engine.connect() as connection:
        yield Prototypes(LoadSession(connection), scene.plans.batch_loader)


def loaded(prototypes: Prototypes, cls: type) -> None:
    """Load all objects of a class."""
    assert prototypes.load(lambda session: session.scalars(select(cls), execution_options=OWN).unique())


def reads(scene: Scene, prototypes: Prototypes, cls: type, key: Any, job: Any) -> tuple[set[str], object]:
    """Return the reads of a calculation of one root, and its result."""
    session = ReadSession(prototypes.session.connection())
    recorder = Recorder(scene.plans, session, NOW, scene.record_statement, prototypes)
    parts = key if isinstance(key, tuple) else (key,)
    with recorder.recording():
        root = prototypes.give(inspect(cls).identity_key_from_primary_key(parts), session)
        reads = in_words(job(root))
    words = scene.in_words(recorder)
    session.end()
    return words, reads


def in_words(value: Any) -> object:
    if isinstance(value, dict):
        return {key: in_words(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [in_words(item) for item in value]
    state = inspect(value, raiseerr=False)
    return (type(value), state.identity) if hasattr(state, "identity") else value


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_each_kind_of_member_is_as_if_alone(scene: Scene, prototypes: Prototypes, kind: str) -> None:
    cls, key, job, expected = ALL_MEMBERS[kind]
    with scene.session() as session:
        alone = in_words(job(session.get_one(cls, key)))
    loaded(prototypes, cls)
    for _ in range(2):
        assert reads(scene, prototypes, cls, key, job) == (expected, alone)


@pytest.mark.parametrize("kind", ALL_MEMBERS)
def test_what_one_root_has_loaded_no_other_loads_again(scene: Scene, prototypes: Prototypes, kind: str) -> None:
    cls, key, job, _ = ALL_MEMBERS[kind]
    loaded(prototypes, cls)
    reads(scene, prototypes, cls, key, job)
    scene.statements.clear()
    reads(scene, prototypes, cls, key, job)
    assert [one for one in scene.statements if not one.startswith(LINK_ROW_QUERY)] == []


def test_objects_are_looked_up_once_for_the_batch(scene: Scene, prototypes: Prototypes) -> None:
    loaded(prototypes, Order)

    def job(order: Order) -> list[object]:
        session = Session.object_session(order)
        assert session is not None
        return [session.get(Person, 2), session.get(Customer, 77), session.get(Clerk, 3)]

    first = reads(scene, prototypes, Order, 1, job)
    assert first[1] == [(Clerk, (2,)), None, None]
    scene.statements.clear()
    assert reads(scene, prototypes, Order, 1, job) == first
    assert len(scene.statements) == 2  # those that are not there are asked for by each


def test_no_root_has_an_object_of_another(scene: Scene, prototypes: Prototypes) -> None:
    loaded(prototypes, Order)
    found: list[object] = []

    def job(order: Order) -> None:
        found.extend([order, order.customer, *order.lines, order.lines[0].order])

    for _ in range(2):
        reads(scene, prototypes, Order, 1, job)
    first, second = found[: len(found) // 2], found[len(found) // 2 :]
    assert first[0] is first[-1]
    assert not {id(one) for one in first} & {id(one) for one in second}


def test_what_cannot_be_loaded_for_the_batch_each_root_loads_alone(scene: Scene, prototypes: Prototypes) -> None:
    """A load listener fails for one row, which another root needs."""

    def refuse(line: Line, _: object) -> None:
        if line.order_id == 2:
            raise ValueError("this one not")

    loaded(prototypes, Order)
    event.listen(Line, "load", refuse)
    try:
        assert reads(scene, prototypes, Order, 1, lambda order: len(order.lines))[1] == 2
        with pytest.raises(ValueError, match="this one not"):
            reads(scene, prototypes, Order, 2, lambda order: len(order.lines))
    finally:
        event.remove(Line, "load", refuse)


def test_rows_become_objects_only_where_they_are_wanted(scene: Scene, prototypes: Prototypes) -> None:
    """Load listeners get an object for each root that has it, and none for the batch."""
    heard: list[object] = []

    def hear(line: Line, _: object) -> None:
        heard.append(inspect(line).identity)

    event.listen(Line, "load", hear)
    try:
        loaded(prototypes, Order)
        for _ in range(2):
            reads(scene, prototypes, Order, 1, lambda order: order.lines)
    finally:
        event.remove(Line, "load", hear)
    assert heard == 2 * [(1, 1), (1, 2)]


def test_a_row_without_a_key_is_left_to_sqlalchemy(scene: Scene, prototypes: Prototypes) -> None:
    """SQLite has nulls in primary keys that are texts."""
    with scene.engine.begin() as connection:
        connection.execute(text("CREATE TABLE card2 (number TEXT PRIMARY KEY, customer_id INTEGER)"))
        connection.execute(text("DROP TABLE card"))
        connection.execute(text("ALTER TABLE card2 RENAME TO card"))
        connection.execute(text("INSERT INTO card VALUES (NULL, 1), ('X2', 2)"))
    with scene.session() as session:
        alone = [in_words(session.get_one(Customer, key).card) for key in (1, 2)]
    loaded(prototypes, Customer)
    found = [reads(scene, prototypes, Customer, key, lambda customer: customer.card)[1] for key in (1, 2)]
    assert found == alone == [None, (Card, ("X2",))]


def test_changes_by_load_listeners_are_read(scene: Scene, prototypes: Prototypes) -> None:
    def listen(customer: Customer, _: object) -> None:
        customer.__dict__["heading"] = customer.name

    event.listen(Customer, "load", listen)
    try:
        loaded(prototypes, Remark)
        words, found = reads(scene, prototypes, Remark, 1, lambda remark: remark.line.order.customer.heading)
    finally:
        event.remove(Customer, "load", listen)
    assert found == "Ann"
    assert "customer 1: name" in words


def test_a_value_changed_in_place_is_unchanged_for_other_roots(scene: Scene, prototypes: Prototypes) -> None:
    loaded(prototypes, Customer)

    def job(customer: Customer) -> list[int]:
        customer.orders.sort(key=lambda order: order.id)
        return [order.id for order in customer.orders]

    assert reads(scene, prototypes, Customer, 1, job)[1] == [1, 2]
    assert reads(scene, prototypes, Customer, 1, lambda customer: [one.id for one in customer.orders])[1] == [2, 1]


def test_a_class_that_is_not_tracked_is_still_refused(scene: Scene, prototypes: Prototypes) -> None:
    loaded(prototypes, Log)
    with pytest.raises(NotWatched, match="log"):
        reads(scene, prototypes, Log, 1, lambda log: log.text)


@pytest.mark.parametrize(
    ("cls", "end", "far"), [(Customer, "orders", Order), (Order, "lines", Line)], ids=["objects", "rows"]
)
def test_criteria_of_the_program_hold_for_what_is_loaded_later(
    scene: Scene, prototypes: Prototypes, cls: type, end: str, far: Any
) -> None:
    """As in SQLAlchemy's recipe for objects that are only marked as deleted; whatever way they are loaded."""
    first = inspect(far).primary_key[-1]

    def hide(state: ORMExecuteState) -> None:
        if state.is_select and not state.is_column_load and not state.is_relationship_load:
            state.statement = state.statement.options(with_loader_criteria(far, first != 2))

    def job(root: Any) -> list[object]:
        return [inspect(one).identity[-1] for one in getattr(root, end)]

    event.listen(Session, "do_orm_execute", hide)
    try:
        loaded(prototypes, cls)
        scene.statements.clear()
        found = [reads(scene, prototypes, cls, key, job)[1] for key in (1, 2)]
        asked = [statement for statement in map(str, scene.statements) if f"FROM {far.__tablename__}" in statement]
    finally:
        event.remove(Session, "do_orm_execute", hide)
    assert found[0] == [1]
    assert len(asked) == 1
    assert reads(scene, prototypes, cls, 1, job)[1] == [1]

"""Tables of all shapes and names are watched."""

from collections.abc import Callable

from sqlalchemy import (
    CHAR,
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    insert,
    text,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from afterwork.store.journal.unwatched import UNWATCHED
from afterwork.store.journal.values import key_of
from tests.capture.conftest import Captured
from tests.capture.model import Base, Customer

Start = Callable[..., Captured]


def test_odd_names(captured: Start) -> None:
    table = Table(
        'the "Order" %s {x}',
        MetaData(),
        Column('No. "1" %', Integer, primary_key=True),
        Column("select", Text),
        Column("Größe:x", Integer),
        Column("{}", Integer),
        Column("afterwork_rows", Integer),
        Column("c0", Integer),
    )
    found = captured(table)
    with found.engine.begin() as connection:
        connection.execute(insert(table).values([1, "it's", 2, 3, 4, 5]))
        connection.execute(update(table).values({"Größe:x": 3, "{}": 4, "afterwork_rows": 5, "c0": 6}))

    come, changed = found.changes()
    assert list(found.image(come).values()) == ["1", "it's", "2", "3", "4", "5"]
    assert list(found.image(changed).values()) == ["1", "it's", "3", "4", "5", "6"]
    assert found.tell(changed) == f"U {table.fullname} 1 Größe:x,{{}},afterwork_rows,c0"
    assert found.problems() == []


def test_names_that_differ_in_case_only_are_two_tables_on_postgresql(captured: Start) -> None:
    metadata = MetaData()
    tables = [Table(name, metadata, Column("id", Integer, primary_key=True)) for name in ("Part", "part")]
    found = captured(tables[0])
    if not found.on_sqlite:
        metadata.create_all(found.engine)
        found.install(tables)
        assert found.run('INSERT INTO "Part" VALUES (1)', "INSERT INTO part VALUES (2)") == ["I Part 1", "I part 2"]


def test_a_table_in_a_schema(captured: Start, engine: object) -> None:
    here = None if "sqlite" in str(engine) else "Ware house"
    table = Table("stock", MetaData(), Column("id", Integer, primary_key=True), schema=here)
    found = captured(table)
    with found.engine.begin() as connection:
        connection.execute(insert(table).values(id=1))
    assert found.told() == [f"I {table.fullname} 1"]


def test_more_columns_than_a_set_has_bits(captured: Start) -> None:
    wide = Table(
        "wide",
        MetaData(),
        Column("id", Integer, primary_key=True),
        *(Column(f"c{number}", BigInteger) for number in range(1, 100)),
    )
    found = captured(wide)
    found.run(f"INSERT INTO wide VALUES ({', '.join(['1'] * 100)})")

    for name in ("c1", "c61", "c62", "c99"):
        with found.engine.begin() as connection:
            connection.execute(update(wide).values({name: 2**62}))
        (change,) = found.changes()
        watch = found.watches.by_id[change.table_id]
        assert change.columns == watch.mask([name])
        assert name in watch.names(change.columns)
        assert found.image(change)[name] == str(2**62)
    assert found.watches.by_id[1].mask(["c62"]) == found.watches.by_id[1].mask(["c99"]) == 1 << 62


def test_a_table_of_keys_only(captured: Start) -> None:
    table = Table(
        "pair", MetaData(), Column("a", Integer, primary_key=True), Column("b", LargeBinary, primary_key=True)
    )
    found = captured(table)
    literal, written = ("x'00ff'", "X'00FF'") if found.on_sqlite else ("'\\x00ff'", "00ff")
    assert found.run(f"INSERT INTO pair VALUES (1, {literal})") == [f"I pair 1\x1f{written}"]
    assert found.run("UPDATE pair SET b = b") == []
    assert found.run("UPDATE pair SET a = 2") == [f"D pair 1\x1f{written}", f"I pair 2\x1f{written}"]
    assert found.run("DELETE FROM pair") == [f"D pair 2\x1f{written}"]


def test_a_key_that_may_have_several_texts(captured: Start) -> None:
    from sqlalchemy import Float

    table = Table(
        "measure", MetaData(), Column("at", Float, primary_key=True, autoincrement=False), Column("value", Integer)
    )
    found = captured(table)
    assert found.run("INSERT INTO measure VALUES (1.5, 1), (2.5, 2)") == ["I measure 1.5", "I measure 2.5"]
    assert found.run("UPDATE measure SET value = 3 WHERE at = 1.5") == ["U measure 1.5 value"]
    assert found.run("UPDATE measure SET at = 3.5 WHERE at = 1.5") == ["D measure 1.5", "I measure 3.5"]
    (watch,) = found.watches
    assert key_of(watch, (1.5,), found.engine.dialect) is None  # so reading such a row is reading the whole table


def test_keys_of_text_are_kept_to_the_last_letter(captured: Start) -> None:
    table = Table("place", MetaData(), Column("name", String(200), primary_key=True), Column("code", CHAR(4)))
    found = captured(table)
    name = "ü" * 150
    with found.engine.begin() as connection:
        connection.execute(insert(table).values(name=name, code="a"))
        connection.execute(update(table).values(code="b"))
    come, changed = found.changes()
    assert come.key == changed.key == name
    assert found.image(come) == {"name": "ü" * 64, "code": "a"}


def test_inheritance_in_two_tables_and_in_one(captured: Start) -> None:
    class Model(DeclarativeBase):
        pass

    class Party(Model):
        __tablename__ = "party"
        id: Mapped[int] = mapped_column(primary_key=True)
        kind: Mapped[str]
        __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "party"}

    class Firm(Party):
        __tablename__ = "firm"
        id: Mapped[int] = mapped_column(ForeignKey("party.id"), primary_key=True)
        size: Mapped[int]
        __mapper_args__ = {"polymorphic_identity": "firm"}

    class Person(Party):
        age: Mapped[int | None]
        __mapper_args__ = {"polymorphic_identity": "person"}

    found = captured(*Model.metadata.sorted_tables)
    with Session(found.engine) as session, session.begin():
        session.add_all([Firm(id=1, size=2), Person(id=2, age=3)])
    assert found.told() == ["I firm 1", "I party 1", "I party 2"]
    with Session(found.engine) as session, session.begin():
        session.get_one(Firm, 1).size = 7
        session.get_one(Person, 2).age = 7
    assert found.told() == ["U firm 1 size", "U party 2 age"]


def test_what_is_no_table_of_the_database_is_not_watched(captured: Start) -> None:
    customer = Base.metadata.tables["customer"]
    metadata = MetaData()
    view = Table("everybody", metadata, Column("id", Integer, primary_key=True))
    absent = Table("absent", metadata, Column("id", Integer, primary_key=True))
    left_out = Table("left_out", metadata, Column("id", Integer, primary_key=True), info=UNWATCHED)
    found = captured(customer, left_out, watched=[])
    with found.engine.begin() as connection:
        connection.execute(text("CREATE VIEW everybody AS SELECT id FROM customer"))

    assert found.install([customer, view, absent, left_out]).lines == ("changes of customer captured",)
    assert [watch.table.name for watch in found.watches] == ["customer"]
    assert found.watches.of(Customer.__table__) is not None
    assert found.watches.of(view) is None
    assert found.problems() == []

"""Several installations in one database, each in a schema of its own, may capture the same table."""

from collections.abc import Iterator
from functools import cache

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.capture.continuity_scene import ALIVE, Place

pytestmark = pytest.mark.parametrize("url", ["postgresql"], indirect=True)

SCHEMAS = ("public", "billing", 'of "Sales"', "a_schema_with_a_name_so_long_that_no_trigger_s_name_could_hold_it")


@cache
def application(factor: int) -> type[DeclarativeBase]:
    """An application that multiplies what a shared table has."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Item(Base):
        __tablename__ = "item"
        __table_args__ = {"schema": "shared"}
        id: Mapped[int] = mapped_column(primary_key=True)
        size: Mapped[int]
        product: Mapped[int | None] = mapped_column(f"times_{factor}")

        @aw.derived(product)
        def compute_product(self) -> int:
            return self.size * factor

    ALIVE.extend((SysAsyncTicket, Item))
    return Base


@pytest.fixture
def places(engine: Engine) -> Iterator[list[Place]]:
    columns = ", ".join(f"times_{factor} int" for factor in range(len(SCHEMAS)))
    with engine.begin() as connection:
        connection.execute(text("CREATE SCHEMA shared"))
        connection.execute(text(f"CREATE TABLE shared.item (id int PRIMARY KEY, size int NOT NULL, {columns})"))
        for schema in SCHEMAS:
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}"))
    paths = [{"options": "-c search_path=" + quoted(schema).replace(" ", "\\ ")} for schema in SCHEMAS]
    engines = [create_engine(engine.url, connect_args=path) for path in paths]
    yield [Place(own, application(factor)) for factor, own in enumerate(engines)]
    for own in engines:
        own.dispose()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def products(place: Place) -> list[int | None]:
    with place.engine.connect() as connection:
        return list(connection.execute(text("SELECT * FROM shared.item")).one())[2:]


def test_each_captures_what_all_of_them_read(places: list[Place]) -> None:
    for place in places:
        place.base.metadata.create_all(place.engine)
        place.install()
    places[0].sql("INSERT INTO shared.item (id, size) VALUES (1, 5)")
    for place in places:
        place.run()
    assert products(places[0]) == [0, 5, 10, 15]

    places[0].sql("UPDATE shared.item SET size = 7")

    for place in places:
        place.run()
    assert products(places[0]) == [0, 7, 14, 21]
    assert [(place.faults(), place.install()) for place in places] == [([], [])] * len(SCHEMAS)

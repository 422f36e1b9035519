"""The SQL in the documentation is run on PostgreSQL, in a database such as its page speaks of."""

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.documentation.blocks import PAGES, blocks

WITH_SQL = [page for page in PAGES if blocks(page, "sql")]

ROLES = "CREATE ROLE afterwork; CREATE ROLE web"

OF_OTHERS = "CREATE TABLE procrastinate_jobs (task_name text, status text, args jsonb, scheduled_at timestamptz)"
"""Tables of other libraries, as far as a page reads them."""


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Customer(Base):
    __tablename__ = "customer"
    id: Mapped[int] = mapped_column(primary_key=True)
    spent: Mapped[int]
    count: Mapped[int]
    number: Mapped[int]
    seen: Mapped[bool]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("page", WITH_SQL)
def test_the_sql_of_a_page_is_taken_by_the_database(page: str, engine: Engine) -> None:
    Base.metadata.create_all(engine)
    aw.Afterwork(Base).install(engine)

    with engine.connect() as connection:  # never committed: roles are those of all databases
        connection.execute(text(f"{ROLES}; {OF_OTHERS}"))
        for block in blocks(page, "sql"):
            connection.exec_driver_sql(block.text)

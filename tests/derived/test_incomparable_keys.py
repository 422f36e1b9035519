"""A key that the database refuses to compare with what the model writes is the trouble of its own class."""

from typing import Any

import pytest
from sqlalchemy import Engine, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.marks import ONLY_POSTGRESQL

KEEP: list[type] = []
"""The classes of models, which SQLAlchemy alone would let go of."""


def model() -> type[DeclarativeBase]:
    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Odd(Base):
        __tablename__ = "odd"
        id: Mapped[str] = mapped_column(String, primary_key=True)
        amount: Mapped[int]
        said: Mapped[str | None] = mapped_column()

        @aw.derived(said)
        def compute_said(self) -> str:
            return f"odd {self.amount}"

    class Good(Base):
        __tablename__ = "good"
        id: Mapped[int] = mapped_column(primary_key=True)
        amount: Mapped[int]
        said: Mapped[str | None] = mapped_column()

        @aw.derived(said)
        def compute_said(self) -> str:
            return f"good {self.amount}"

    KEEP.extend([SysAsyncTicket, Odd, Good])
    return Base


def do(engine: Engine, *statements: str) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def said(engine: Engine) -> Any:
    with engine.connect() as connection:
        return connection.execute(text("SELECT said FROM good")).scalar()


@ONLY_POSTGRESQL
@pytest.mark.parametrize(
    ("kind", "key"), [("xid8", "7"), ("pg_lsn", "0/7"), ("uuid", "3f2504e0-4f89-11d3-9a0c-0305e82c3301")]
)
def test_others_go_on_where_the_database_refuses_to_compare_keys(engine: Engine, kind: str, key: str) -> None:
    do(engine, f"CREATE TABLE odd (id {kind} PRIMARY KEY, amount integer NOT NULL, said text)")
    base = model()
    base.metadata.create_all(engine)
    app = aw.Afterwork(base)
    app.install(engine)
    do(engine, f"INSERT INTO odd VALUES ('{key}', 1)", "INSERT INTO good VALUES (1, 1)")
    app.run_until_idle(engine)
    assert said(engine) == "good 1"

    do(engine, "UPDATE odd SET amount = 2", "UPDATE good SET amount = 2")
    app.run_until_idle(engine)
    do(engine, "DELETE FROM odd", "UPDATE good SET amount = 3")
    app.run_until_idle(engine)

    assert said(engine) == "good 3"
    assert list(app.insight(engine).caches_of("Odd.said").items) == []

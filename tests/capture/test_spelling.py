"""A row on SQLite is the same row however another program has written its key."""

import datetime as dt
import uuid
from typing import Any

import pytest
from sqlalchemy import Date, DateTime, Engine, ForeignKey, Time, Uuid, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeEngine

import afterwork as aw
from afterwork.derived.manifest.reads import spelled
from afterwork.store.journal.tracked_table import PART
from tests.support.prepared import installed

ID = uuid.UUID("3f2504e0-4f89-11d3-9a0c-0305e82c3301")
SPELLINGS: dict[str, tuple[TypeEngine[Any], list[str]]] = {
    "timestamp": (
        DateTime(),
        ["2026-01-02 10:00:00.000000", "2026-01-02 10:00:00", "2026-01-02T10:00:00", "2026-01-02 10:00"],
    ),
    "timestamp with a fraction": (DateTime(), ["2026-01-02 10:00:00.500000", "2026-01-02 10:00:00.500"]),
    "time": (Time(), ["10:00:00.000000", "10:00:00"]),
    "date": (Date(), ["2026-01-02"]),
    "uuid": (Uuid(), [ID.hex, str(ID), str(ID).upper(), ID.hex.upper()]),
}
CASES = [(name, written) for name, (_, spellings) in SPELLINGS.items() for written in spellings]


@pytest.mark.parametrize("name", SPELLINGS)
def test_all_spellings_are_one_key(name: str) -> None:
    _, spellings = SPELLINGS[name]

    assert len({spelled(written) for written in spellings}) == 1
    assert len({spelled(f"1{PART}{written}") for written in spellings}) == 1


@pytest.mark.parametrize(
    "other", ["7", "abc", "2026-13-01", "10:61", "", "3f2504e0-4f89", dt.date(2026, 1, 3).isoformat()]
)
def test_what_is_another_value_is_another_key(other: str) -> None:
    known = {spelled(written) for _, spellings in SPELLINGS.values() for written in spellings}

    assert spelled(other) not in known


@pytest.mark.parametrize(("name", "written"), CASES)
@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
def test_a_row_goes_on_counting_however_its_key_was_written(engine: Engine, name: str, written: str) -> None:
    kind, _ = SPELLINGS[name]

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Part(Base):
        __tablename__ = "part"
        key: Mapped[Any] = mapped_column(kind, primary_key=True)
        whole_id: Mapped[int] = mapped_column(ForeignKey("whole.id"), primary_key=True)
        amount: Mapped[int]

    class Whole(Base):
        __tablename__ = "whole"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int | None] = mapped_column()
        parts: Mapped[list[Part]] = relationship()

        @aw.derived(total)
        def compute_total(self) -> int:
            return sum(part.amount for part in self.parts)

    app = installed(engine, Base)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO whole (id) VALUES (1)"))
        row = {"key": written}
        connection.execute(text("INSERT INTO part (key, whole_id, amount) VALUES (:key, 1, 5)"), row)
    app.run_until_idle(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE part SET amount = 9"))
    app.run_until_idle(engine)

    with engine.connect() as connection:
        assert connection.execute(text("SELECT total FROM whole")).scalar() == 9
    assert len([SysAsyncTicket, Part, Whole]) == 3  # which keeps the classes for as long as they are mapped

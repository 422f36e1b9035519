"""Tables of very many columns can be written as before."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKeyConstraint, Integer, MetaData, Table, Text

from tests.capture.conftest import Captured

Start = Callable[..., Captured]

# The most that each database allows, among them.
WIDTHS = [("sqlite", 130), ("sqlite", 1999), ("postgresql", 900), ("postgresql", 1599)]


@pytest.mark.parametrize(("url", "width"), WIDTHS, indirect=["url"])
@pytest.mark.parametrize("kind", ["a key", "a key that cascades change", "no key"])
def test_a_table_of_very_many_columns(captured: Start, width: int, kind: str) -> None:
    identity: Column[Any] = Column("id", Integer, primary_key=kind != "no key")
    columns: list[Column[Any]] = [Column(f"c{place}", Text if place % 2 else Integer) for place in range(width)]
    cascades = [ForeignKeyConstraint(["c0"], ["survey.id"], onupdate="CASCADE")] if "cascades" in kind else []
    found = captured(Table("survey", MetaData(), identity, *columns, *cascades))

    come = found.run("INSERT INTO survey (id, c3) VALUES (1, 'x'), (2, NULL)")
    assert [told[0] for told in come] == ["I", "I"]
    assert found.run("UPDATE survey SET c3 = c3") == []
    assert len(found.run("UPDATE survey SET c3 = 'y' WHERE id = 1")) == (2 if kind == "no key" else 1)
    assert len(found.run(f"UPDATE survey SET c{width - 1} = 5")) == (4 if kind == "no key" else 2)
    assert len(found.run("UPDATE survey SET id = 3 WHERE id = 1")) == 2
    assert len(found.run("DELETE FROM survey")) == 2

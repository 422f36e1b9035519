"""Saving tickets in bulk: a root becomes a RootId, or is refused. It is never lost in silence."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import CompileError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw
from afterwork.errors import BadRequest
from tests.support.world import World


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)


WAYS: dict[str, Callable[[Session, dict[str, Any]], object]] = {
    "bulk_insert_mappings": lambda session, row: session.bulk_insert_mappings(SysAsyncTicket, [row]),
    "bulk_insert_mappings with defaults": lambda session, row: session.bulk_insert_mappings(
        SysAsyncTicket, [row], return_defaults=True
    ),
    "insert of rows": lambda session, row: session.execute(insert(SysAsyncTicket), [row]),
    "insert of a row": lambda session, row: session.execute(insert(SysAsyncTicket), row),
    "insert of values": lambda session, row: session.execute(insert(SysAsyncTicket).values(row)),
    "insert that returns": lambda session, row: session.execute(
        insert(SysAsyncTicket).returning(SysAsyncTicket), [row]
    ),
    "bulk_update_mappings": lambda session, row: session.bulk_update_mappings(SysAsyncTicket, [{"id": 1, **row}]),
    "update of rows": lambda session, row: session.execute(update(SysAsyncTicket), [{"id": 1, **row}]),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_root_is_not_lost(engine: Engine, way: str) -> None:
    with World(engine, Base).session() as session:
        thing = Thing()
        session.add(thing)
        session.flush()
        session.add(SysAsyncTicket(id=1, view_model="first"))
        session.flush()
        with pytest.raises((BadRequest, CompileError), match="root_object"):
            WAYS[way](session, {"view_model": "work", "root_object": thing})
        session.rollback()


@pytest.mark.parametrize("way", WAYS)
def test_its_external_id_is_saved(engine: Engine, way: str) -> None:
    with World(engine, Base).session() as session:
        thing = Thing()
        session.add_all([thing, SysAsyncTicket(id=1000 if "insert" in way else 1, view_model="first")])
        session.flush()
        WAYS[way](session, {"view_model": "work", "root_id": aw.external_id(thing)})
        saved = select(SysAsyncTicket.root_id).where(SysAsyncTicket.view_model == "work")
        assert session.scalars(saved).all() == ["Thing!1"]


def test_a_root_is_not_lost_after_the_class_was_given_another_attribute(engine: Engine) -> None:
    """SQLAlchemy then forgets what it has found out about a class."""
    with World(engine, Base).session() as session:
        SysAsyncTicket.remark = "of the application"
        for way in WAYS.values():
            with pytest.raises((BadRequest, CompileError), match="root_object"):
                way(session, {"view_model": "work", "root_object": Thing()})
            session.rollback()

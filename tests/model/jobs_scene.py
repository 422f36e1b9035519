"""A model without jobs, and a file that gives it some."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw

Load = Callable[..., aw.Afterwork]


class NoAnswer(Exception):
    """Another system is not there."""


def send(model: Any) -> None:
    """Something that OCL and EAL have no words for."""


def model() -> Any:
    """A model without jobs. Its base keeps the classes, which are in no module."""

    class Base(DeclarativeBase): ...

    class SysAsyncTicket(aw.AsyncTicket, Base): ...

    class Customer(Base):
        __tablename__ = "customer"
        id: Mapped[int] = mapped_column(primary_key=True)
        total: Mapped[int] = mapped_column(default=0)

    class Order(Base):
        __tablename__ = "orders"
        id: Mapped[int] = mapped_column(primary_key=True)
        customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
        amount: Mapped[int]
        seen: Mapped[bool]
        saved: Mapped[datetime]
        customer: Mapped[Customer] = relationship()

    Base.kept = [SysAsyncTicket, Customer, Order]
    return Base


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Gives a model the jobs of a text."""

    def loaded(text: str, *, name: str = "jobs.toml", base: Any = None, python: Any = (send, NoAnswer)) -> aw.Afterwork:
        file = tmp_path / name
        file.write_text(text)
        app = aw.Afterwork(base or model())
        app.load(file, python=python)
        return app

    return loaded

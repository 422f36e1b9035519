"""The model for the overhead of tracking: a sheet whose total reads two members of each of its cells, and says how long
the calculation took."""

import time
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKey, Numeric
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

import afterwork as aw


class Base(aw.Model, DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Sheet(Base):
    __tablename__ = "sheet"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    total: Mapped[Decimal] = mapped_column(Numeric(14, 2), default=Decimal(0))
    cells: Mapped[list["Cell"]] = relationship()

    seconds: ClassVar[list[float]] = []

    @aw.derived(total)
    def compute_total(self) -> Decimal:
        began = time.perf_counter()
        total = sum((cell.quantity * cell.price for cell in self.cells), Decimal(0))
        Sheet.seconds.append(time.perf_counter() - began)
        return total


class Cell(Base):
    __tablename__ = "cell"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    sheet_id: Mapped[int] = mapped_column(ForeignKey("sheet.id"), index=True)
    quantity: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))

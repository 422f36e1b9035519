"""A model that names its ticket class: `aw.later` returns that class, to both type checkers."""

from datetime import timedelta
from decimal import Decimal
from typing import assert_type

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from statemachine import State, StateChart

import afterwork as aw


class Base(aw.Model["SysAsyncTicket"], DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    tenant: Mapped[int] = mapped_column(default=0)


class InvoiceFlow(StateChart["Invoice"]):
    new = State(initial=True)
    paid = State(final=True)
    pay = new.to(paid)

    def on_enter_new(self, model: "Invoice") -> None:
        assert_type(aw.while_in(model.flow.pay, after=timedelta(days=3)), SysAsyncTicket)


class Invoice(Base):
    __tablename__ = "invoice"
    id: Mapped[int] = mapped_column(primary_key=True)
    total: Mapped[Decimal] = mapped_column(default=Decimal(0))
    state: Mapped[str | None]
    flow = aw.machine(InvoiceFlow, state="state")

    @aw.method
    def send(self) -> str:
        aw.later(self.remind, after=timedelta(days=3)).tenant = 1
        return "sent"

    @aw.method(precondition=lambda self: self.total > 0)
    def refund(self, amount: Decimal, /, *, reason: str = "") -> Decimal:
        return self.total - amount

    @aw.method(lane="mail")
    def remind(self) -> None: ...


class Archive(aw.ViewModel[Invoice, SysAsyncTicket]):
    year: int = aw.variable()

    @aw.action
    def archive(self) -> None:
        self.root.state = None


class Purge(aw.ViewModel[Invoice]):
    @aw.action
    def purge(self) -> None: ...


async def ask(invoice: Invoice) -> None:
    assert_type(aw.later(invoice.send), SysAsyncTicket)
    assert_type(aw.later(invoice.send, unique=True).tenant, int)
    assert_type(invoice.send(), str)
    assert_type(invoice.send, aw.BoundMethod[str, SysAsyncTicket, []])
    _send: aw.BoundMethod[str] = invoice.send
    assert_type(invoice.refund(Decimal("12.50"), reason="broken"), Decimal)
    assert_type(invoice.refund.given(Decimal("12.50")), aw.GivenWork[SysAsyncTicket])
    assert_type(aw.later(invoice.refund.given(Decimal("12.50"), reason="broken"), unique=True), SysAsyncTicket)
    assert_type(aw.can(invoice.refund.given(Decimal("12.50"))), bool)
    assert_type(aw.later(Archive(invoice, year=2027)), SysAsyncTicket)
    assert_type(aw.can(invoice.send), bool)
    assert_type(aw.later(invoice.flow.pay), SysAsyncTicket)
    assert_type(aw.later(invoice.state_machine_trigger), SysAsyncTicket)
    assert_type(aw.later(Archive(invoice)), SysAsyncTicket)
    assert_type(aw.later(Purge(invoice)), aw.AsyncTicket)
    assert_type(await aw.aio.later(invoice.send), SysAsyncTicket)
    assert_type(await aw.aio.later(invoice.refund.given(Decimal(1))), SysAsyncTicket)

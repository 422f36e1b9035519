"""Wrong uses, each of which both type checkers find: an ignore that ignores nothing is an error here."""

from datetime import datetime, timedelta
from decimal import Decimal

import afterwork as aw
from tests.typing.own_tickets import Invoice
from tests.typing.users_code import Customer, Order, SysAsyncTicket, TheCustomerNumberAssigner, app


def wrong(customer: Customer, order: Order) -> None:
    aw.later(customer.assign_number())  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.name)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later("Customer.assign_number")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(TheCustomerNumberAssigner)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.assign_number, "now")  # type: ignore[call-arg, arg-type] # pyright: ignore[reportCallIssue]
    aw.later(customer.assign_number, at="noon")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.assign_number, after=5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.assign_number, keep=10)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.assign_number, priority="high")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.later(customer.assign_number, uniqe=True)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    aw.later(order.flow)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.machine(int, state="state")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.can(customer.name)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    customer.assign_number(1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    TheCustomerNumberAssigner(order)  # type: ignore[call-overload] # pyright: ignore[reportArgumentType]
    order.refund.given()  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    order.refund.given("12.50")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    order.refund.given(Decimal(1), reasn="broken")  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    order.refund(12.5)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    customer.assign_number.given(1)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    aw.later(order.refund(Decimal(1)))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.Retry(5)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    aw.Retry(attempts=5, backoff=60)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    aw.Settings(worker=8)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
    app.run_until_idle("sqlite://")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    _moment: datetime = SysAsyncTicket().done  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    _number: int = aw.external_id(customer)  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


class Wrong(aw.ViewModel[Customer]):
    @aw.action
    def act(self) -> None:
        self.root.nam = "Ann"  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]

    lane = 5  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]
    retry = timedelta(5)  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]


@Customer.total.many  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def for_others(orders: list[Order]) -> None: ...


@Customer.total.many  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def for_one(customer: Customer) -> None: ...


@Customer.total.many  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
def with_results(customers: list[Customer]) -> list[int]:
    return [customer.id for customer in customers]


def wrong_wait(customer: Customer) -> None:
    ticket = aw.later(customer.total)
    aw.wait(ticket, timeout=5)  # type: ignore[call-overload] # pyright: ignore[reportCallIssue, reportArgumentType]
    len(aw.wait(ticket, of=Customer.total))  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def wrong_ticket(invoice: Invoice) -> None:
    aw.later(invoice.send).tenent = 1  # type: ignore[attr-defined] # pyright: ignore[reportAttributeAccessIssue]
    aw.later(invoice.send).tenant = "x"  # type: ignore[assignment] # pyright: ignore[reportAttributeAccessIssue]

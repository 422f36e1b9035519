"""What customers' programs and the staff ask for."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncSession

import afterwork as aw
from afterwork.errors import NotInThisState
from shop.database import InTransaction
from shop.login import User
from shop.model import Customer, Order, OrderLine, Payment

T = TypeVar("T")
router = APIRouter()
Positive = Annotated[int, Field(gt=0)]


class NewCustomer(BaseModel):
    name: str
    email: str


class NewLine(BaseModel):
    product: str
    quantity: Positive
    price: Positive


class NewOrder(BaseModel):
    customer_id: int
    lines: list[NewLine]


class NewPayment(BaseModel):
    amount: Positive


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ShownCustomer(Shown):
    id: int
    name: str
    total: int


class ShownOrder(Shown):
    id: int
    number: int | None
    total: int
    state: str


@router.post("/customers", status_code=201)
async def add_customer(session: InTransaction, new: NewCustomer) -> ShownCustomer:
    customer = Customer(name=new.name, email=new.email)
    session.add(customer)
    await session.flush()
    return ShownCustomer.model_validate(customer)


@router.get("/customers/{key}")
async def show_customer(session: InTransaction, key: int) -> ShownCustomer:
    """Show a customer, with the total as it is stored: right within moments of each change."""
    return ShownCustomer.model_validate(await found(session, Customer, key))


@router.get("/customers/{key}/statement")
async def statement(session: InTransaction, key: int) -> int:
    """Return the total as it is right now, in this transaction."""
    total: int = await aw.aio.fresh(await found(session, Customer, key), "total")
    return total


@router.post("/orders", status_code=201)
async def place_order(session: InTransaction, new: NewOrder) -> ShownOrder:
    """Place an order. The order and the two tickets are saved together, or not at all."""
    lines = [OrderLine(**line.model_dump()) for line in new.lines]
    order = Order(customer=await found(session, Customer, new.customer_id), lines=lines)
    session.add(order)
    aw.later(order.assign_number)
    aw.later(order.confirm)
    await session.flush()
    return ShownOrder.model_validate(order)


@router.get("/orders/{key}")
async def show_order(session: InTransaction, key: int) -> ShownOrder:
    return ShownOrder.model_validate(await found(session, Order, key))


@router.post("/orders/{key}/payments", status_code=201)
async def pay(session: InTransaction, key: int, new: NewPayment) -> None:
    """Note a payment. That the order is paid for now, its machine will see."""
    session.add(Payment(order=await found(session, Order, key), amount=new.amount))


@router.post("/orders/{key}/ship")
async def ship(session: InTransaction, user: User, key: int) -> ShownOrder:
    """Send an order, if it is paid for."""
    return await sent(await found(session, Order, key), "ship")


@router.post("/orders/{key}/cancel")
async def cancel(session: InTransaction, key: int) -> ShownOrder:
    return await sent(await found(session, Order, key), "cancel")


async def sent(order: Order, event: str) -> ShownOrder:
    """Send an order's machine an event, in the transaction of the request."""
    try:
        await aw.aio.call(order, getattr(order.flow, event))
    except NotInThisState as error:
        raise HTTPException(409, str(error)) from None
    return ShownOrder.model_validate(order)


async def found(session: AsyncSession, cls: type[T], key: int) -> T:
    """Return the object with a key. Raises the exception that FastAPI answers with 404."""
    thing = await session.get(cls, key)
    if thing is None:
        raise HTTPException(404)
    return thing

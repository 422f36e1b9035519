"""From an order to its delivery: what requests save, and what happens by itself."""

import logging
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from afterwork.testing import Testing
from shop.flow import PATIENCE
from shop.model import Order
from tests.conftest import PASSWORD

pytestmark = pytest.mark.anyio

LATER = PATIENCE + timedelta(minutes=1)


async def new_customer(client: AsyncClient) -> int:
    answer = await client.post("/customers", json={"name": "Ann", "email": "ann@example.com"})
    assert answer.status_code == 201
    return int(answer.json()["id"])


async def place(client: AsyncClient, customer: int, quantity: int = 2) -> int:
    line = {"product": "a lamp", "quantity": quantity, "price": 1500}
    answer = await client.post("/orders", json={"customer_id": customer, "lines": [line]})
    assert answer.status_code == 201
    return int(answer.json()["id"])


async def shown(client: AsyncClient, path: str) -> Any:
    return (await client.get(path)).raise_for_status().json()


async def test_an_order_gets_a_number_a_mail_and_a_total(
    client: AsyncClient, afterwork: Testing, caplog: pytest.LogCaptureFixture
) -> None:
    customer = await new_customer(client)
    order = await place(client, customer)
    assert (await shown(client, f"/orders/{order}")) == {"id": order, "number": None, "total": 0, "state": "placed"}

    with caplog.at_level(logging.INFO, "shop.mail"):
        afterwork.drain()

    assert (await shown(client, f"/orders/{order}")) == {"id": order, "number": 1, "total": 3000, "state": "placed"}
    assert (await shown(client, f"/customers/{customer}"))["total"] == 3000
    assert "to ann@example.com: Thank you" in caplog.text


async def test_numbers_have_no_gaps(client: AsyncClient, afterwork: Testing) -> None:
    customer = await new_customer(client)
    orders = [await place(client, customer) for _ in range(3)]
    afterwork.drain()

    assert [(await shown(client, f"/orders/{order}"))["number"] for order in orders] == [1, 2, 3]


async def test_a_request_that_fails_asks_for_nothing(client: AsyncClient, afterwork: Testing) -> None:
    answer = await client.post("/orders", json={"customer_id": 4711, "lines": []})

    assert answer.status_code == 404
    assert not afterwork.asked(Order.confirm)


async def test_a_statement_is_right_before_any_job_has_run(client: AsyncClient) -> None:
    customer = await new_customer(client)
    await place(client, customer)

    assert await shown(client, f"/customers/{customer}/statement") == 3000


async def test_a_payment_moves_the_order_and_bookkeeping_hears_once(client: AsyncClient, afterwork: Testing) -> None:
    order = await place(client, await new_customer(client))
    afterwork.drain()
    await client.post(f"/orders/{order}/payments", json={"amount": 1000})
    afterwork.drain()
    assert (await shown(client, f"/orders/{order}"))["state"] == "placed"
    await client.post(f"/orders/{order}/payments", json={"amount": 2000})
    afterwork.drain()
    assert (await shown(client, f"/orders/{order}"))["state"] == "paid"

    export = f"ExportOrder Order!{order}"
    assert export in ran(afterwork, after=timedelta(minutes=10))
    assert export not in ran(afterwork, after=timedelta(minutes=10))


def ran(afterwork: Testing, *, after: timedelta) -> list[str]:
    """Run everything that is due when some time has passed. Returns what ran, such as `Order.confirm Order!1`."""
    afterwork.clock.advance(after)
    return [f"{ended.run.work} {ended.run.root_id}" for ended in afterwork.drain()]


def reminders(ran: list[str]) -> list[str]:
    return [work for work in ran if work.startswith("Order.remind")]


async def test_who_does_not_pay_is_reminded_once(client: AsyncClient, afterwork: Testing) -> None:
    order = await place(client, await new_customer(client))
    afterwork.drain()
    assert afterwork.asked(Order.remind, after=PATIENCE)

    assert reminders(ran(afterwork, after=LATER)) == [f"Order.remind while flow is in placed Order!{order}"]
    assert reminders(ran(afterwork, after=LATER)) == []


async def test_who_has_cancelled_is_not_reminded_and_owes_nothing(client: AsyncClient, afterwork: Testing) -> None:
    customer = await new_customer(client)
    order = await place(client, customer)
    afterwork.drain()
    await client.post(f"/orders/{order}/cancel")

    assert reminders(ran(afterwork, after=LATER)) == []
    assert (await shown(client, f"/customers/{customer}"))["total"] == 0


async def test_only_what_is_paid_is_shipped_and_only_by_the_staff(client: AsyncClient, afterwork: Testing) -> None:
    order = await place(client, await new_customer(client))
    afterwork.drain()
    assert (await client.post(f"/orders/{order}/ship")).status_code == 401
    await client.post("/login", data={"name": "bob", "password": PASSWORD})
    refused = await client.post(f"/orders/{order}/ship")
    assert (refused.status_code, "placed" in refused.text) == (409, True)

    await client.post(f"/orders/{order}/payments", json={"amount": 3000})
    afterwork.drain()
    assert (await client.post(f"/orders/{order}/ship")).json()["state"] == "shipped"

"""Afterwork's page, within the shop and behind its login; and the server in the shop's lifespan."""

import re
import time

import pytest
from httpx2 import AsyncClient
from sqlalchemy import URL
from starlette.testclient import TestClient

from shop.database import Database
from shop.main import create
from shop.model import work
from tests.conftest import PASSWORD

HTML = {"accept": "text/html"}


@pytest.mark.anyio
async def test_strangers_are_led_to_the_login_and_the_staff_to_the_page(client: AsyncClient) -> None:
    asked = await client.get("/afterwork/tickets", headers=HTML)
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/afterwork/tickets")
    wrong = await client.post(asked.headers["location"], data={"name": "bob", "password": "wrong"})
    assert wrong.status_code == 403

    entered = await client.post(asked.headers["location"], data={"name": "bob", "password": PASSWORD})
    assert (entered.status_code, entered.headers["location"]) == (303, "/afterwork/tickets")
    assert (await client.get("/afterwork/tickets", headers=HTML)).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_the_login_leads_nowhere_else(client: AsyncClient, elsewhere: str) -> None:
    entered = await client.post("/login", params={"next": elsewhere}, data={"name": "bob", "password": PASSWORD})

    assert entered.headers["location"] == "/"


@pytest.mark.anyio
async def test_the_staff_may_act(client: AsyncClient, database: Database) -> None:
    await client.post("/login", data={"name": "bob", "password": PASSWORD})
    page = await client.get("/afterwork/lanes", headers=HTML)
    token = re.findall(r'name="csrf" value="([^"]+)"', page.text)[0]

    await client.post("/afterwork/lanes/main/pause", data={"csrf": token, "back": "/afterwork/lanes"})

    assert work.insight(database.jobs).lane("main").paused


def test_jobs_run_while_the_shop_is_up(url: URL) -> None:
    with TestClient(create(Database.at(url), "secret")) as client:
        customer = client.post("/customers", json={"name": "Ann", "email": "ann@example.com"}).json()["id"]
        line = {"product": "a lamp", "quantity": 1, "price": 1500}
        order = client.post("/orders", json={"customer_id": customer, "lines": [line]}).json()["id"]
        until = time.monotonic() + 60
        while client.get(f"/orders/{order}").json()["number"] is None:
            assert time.monotonic() < until
            time.sleep(0.05)

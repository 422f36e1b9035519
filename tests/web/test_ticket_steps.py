"""A ticket's arguments, and the steps that its run has done: by page, API and command, without secrets."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Annotated

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.store.tables import step
from tests.support.command_line import run, text_of, told
from tests.support.world import World
from tests.web.conftest import client_of


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    sent: Mapped[bool] = mapped_column(default=False)

    @aw.method(external=True)
    def send(self, to: str, password: Annotated[str, aw.Secret]) -> None:
        aw.step("authorize", authorize, password)
        aw.step("buy a label", buy_label)
        self.sent = True


def authorize(password: str) -> Annotated[str, aw.Secret]:
    return f"token of {password}"


def buy_label() -> Decimal:
    return Decimal("4.90")


app = aw.Afterwork(Base)


@pytest.fixture
def sent(engine: Engine) -> Engine:
    """A parcel that was sent by two steps."""
    world = World(engine, Base)
    with world.session() as session, session.begin():
        parcel = Parcel()
        session.add(parcel)
        aw.later(parcel.send.given("Uppsala", password="sesame"))
    world.run()
    return engine


@pytest.fixture
def client(sent: Engine) -> Iterator[TestClient]:
    with client_of(aw.web(app, sent)) as found:
        yield found


def test_the_page_shows_arguments_and_steps_without_secrets(client: TestClient) -> None:
    page = client.get("/tickets/1").text

    assert "<dt><code>to</code></dt><dd><code>&#34;Uppsala&#34;</code></dd>" in page
    assert page.index("<strong>authorize</strong>") < page.index("<strong>buy a label</strong>")
    assert "4.90" in page
    assert page.count("(secret)") >= 2
    assert "sesame" not in page


def test_the_api_tells_the_same(client: TestClient) -> None:
    answer = client.get("/api/tickets/1")

    assert answer.json()["arguments"] == {"to": "Uppsala", "password": "(secret)"}
    assert [(one["name"], one["result"]) for one in answer.json()["steps"]] == [
        ("authorize", "(secret)"), ("buy a label", "4.90"),
    ]  # fmt: skip
    assert "sesame" not in answer.text


def test_the_command_tells_the_same(sent: Engine) -> None:
    where = "tests.web.test_ticket_steps:app", "1", "--database", text_of(sent.url)

    said = told(run("ticket", *where))

    assert 'argument to: "Uppsala"' in said
    assert "step authorize: done" in said
    assert '"(secret)"' in said
    assert "sesame" not in said
    assert [one["name"] for one in json.loads(told(run("ticket", *where, "--json")))["steps"]] == [
        "authorize", "buy a label",
    ]  # fmt: skip


def test_the_result_of_a_step_of_before_is_not_shown_since_it_may_be_a_secret(sent: Engine, client: TestClient) -> None:
    with sent.begin() as connection:
        connection.execute(update(step).values(is_open=False))

    assert "4.90" not in client.get("/tickets/1").text

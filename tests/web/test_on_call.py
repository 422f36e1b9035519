"""Somebody is on call. For each thing that may go wrong, the overview names it, and one click leads to the remedy."""

import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.events import InTheWay
from examples.shop.demo.trouble import Disk, Watch, drop_triggers
from tests.support.command_line import APP, Serve, ann, serve
from tests.support.databases import ON_BOTH, url
from tests.support.proxy import SilentProxy
from tests.support.waiting import eventually
from tests.support.world import World
from tests.web.conftest import client_of, csrf_of

__all__ = ["ann", "serve", "url"]

pytestmark = ON_BOTH

Need = dict[str, Any]


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Parcel(Base):
    __tablename__ = "parcel"
    id: Mapped[int] = mapped_column(primary_key=True)
    pieces: Mapped[int] = mapped_column(default=1)
    share: Mapped[int] = mapped_column(default=0)
    weighed: Mapped[int] = mapped_column(default=0)

    @aw.derived(share)
    def compute_share(self) -> int:
        return 100 // self.pieces

    @aw.method
    def weigh(self) -> None:
        self.weighed += 1

    @aw.method(external=True, lane=None)
    def hang(self) -> None:
        GATE.wait()


class Export(aw.ViewModel[Parcel], root=Parcel):
    when = aw.Every(minutes=10, criteria=select(Parcel).where(Parcel.pieces == 7))

    @aw.action
    def send(self) -> None:
        raise ConnectionError("the bookkeeping does not answer")


GATE = threading.Event()


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    GATE.clear()
    yield World(engine, Base, settings=aw.Settings(held_limit=timedelta(seconds=0.1)))
    GATE.set()


def parcel(world: World, *, pieces: int = 1, work: str | None = None) -> None:
    with world.session() as session, session.begin():
        made = Parcel(pieces=pieces)
        session.add(made)
        if work is not None:
            aw.later(getattr(made, work))


def page_of(app: aw.Afterwork, engine: Engine) -> TestClient:
    """A page that has not checked yet."""
    return client_of(aw.web(app, engine))


def needs(client: TestClient, words: str) -> list[Need]:
    """The entries of the overview with some words, each of which the page shows, too."""
    found = client.get("/api/overview").json()["attention"]
    return [need for need in found if words in need["what"]]


def named(client: TestClient, words: str) -> Need:
    """The only entry with some words. What it leads to is there."""
    (need,) = needs(client, words)
    page = client.get("/").text
    assert f'data-row="{need["about"]}"' in page
    assert client.get(need["path"]).status_code == 200
    assert f"afterwork {need['command'].partition(' ')[0]}" in page
    return need


def press(client: TestClient, need: Need) -> str:
    """Press the button of an entry. Returns the page that comes back."""
    remedy = need["remedy"]
    sent = {"csrf": csrf_of(client), "back": "/", **remedy["fields"]}
    answer = client.post(remedy["path"], data=sent)
    assert answer.status_code == 200
    return answer.text


def test_an_export_that_fails(world: World) -> None:
    parcel(world, pieces=7)
    world.run()
    client = page_of(world.app, world.engine)
    need = named(client, "Export has failed once")

    assert need["level"] == "alarm"
    assert need["error"].startswith("ConnectionError: the bookkeeping does not answer")
    assert "Export has 1 match for servers to run." in press(client, need)


def test_a_server_that_was_killed(ann: object, engine: Engine, serve: Serve) -> None:
    from examples.shop import app

    process = serve(APP)
    client = page_of(app, engine)
    eventually(lambda: not needs(client, "No server is running"))
    process.kill()
    eventually(lambda: needs(client, "No server is running"))

    assert named(client, "No server is running")["command"] == "serve"
    assert client.get("/api/overview").json()["verdict"]["light"] == "red"


def test_a_row_that_somebody_keeps_locked(world: World) -> None:
    if world.engine.dialect.name == "sqlite":
        pytest.skip("there are no locks of rows")
    parcel(world)
    with world.engine.connect() as somebody:
        somebody.execute(select(Parcel.id).with_for_update())
        with world.session() as session, session.begin():
            aw.later(session.get_one(Parcel, 1).weigh)
        with world.app.serving(world.engine):
            client = page_of(world.app, world.engine)
            eventually(lambda: InTheWay in map(type, world.seen))  # the ticket is put off, again and again
            eventually(lambda: needs(client, "and is idle"))
            need = named(client, "and is idle")
            somebody.rollback()

    assert "pg_terminate_backend" in need["advice"]


def test_a_trigger_that_is_gone(world: World) -> None:
    drop_triggers(world.engine, "parcel")
    client = page_of(world.app, world.engine)
    need = next(need for need in needs(client, "Capture on parcel"))

    assert (need["level"], need["command"]) == ("alarm", "install")
    assert "afterwork install" in client.get("/").text
    world.app.install(world.engine)
    assert not needs(page_of(world.app, world.engine), "is gone")


def test_a_lane_that_is_paused(world: World) -> None:
    world.app.control(world.engine).pause_lane("main")
    parcel(world, work="weigh")
    client = page_of(world.app, world.engine)
    need = named(client, "The lane main is paused, and 1 ticket waits in it")

    assert need["level"] == "note"
    assert "Lane main is resumed." in press(client, need)
    assert not needs(client, "paused")


def test_a_value_that_can_t_be_calculated(world: World) -> None:
    parcel(world, pieces=0)
    world.run()
    client = page_of(world.app, world.engine)
    need = named(client, "Parcel.share has failed")

    assert need["error"].startswith("ZeroDivisionError")
    assert need["last_object"] == "Parcel!1"
    with world.session() as session, session.begin():
        session.get_one(Parcel, 1).pieces = 4
    assert "1 of Parcel.share is tried again." in press(client, need)
    world.run()
    (group,) = client.get("/api/failures").json()
    assert [thing["is_open"] for thing in group["things"]] == [False]


def test_a_disk_that_is_full(world: World) -> None:
    if world.engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL does not tell how much room its disk has")
    Disk(world.engine).fill()

    assert "Make room" in named(page_of(world.app, world.engine), "The database file has room for 0 MB more")["advice"]


def test_a_clock_that_is_off(engine: Engine, world: World) -> None:
    watch = Watch()
    watch.is_off_by = timedelta(hours=-1)
    late = aw.Afterwork(Base, clock=watch)
    with aw.Afterwork(Base).serving(engine):
        eventually(lambda: needs(page_of(late, engine), "lock "))
        need = needs(page_of(late, engine), "lock ")[0]

    assert "NTP" in need["advice"]


def test_a_job_that_hangs(world: World) -> None:
    parcel(world, work="hang")
    with world.app.serving(world.engine):
        client = page_of(world.app, world.engine)
        eventually(lambda: client.get("/api/lanes").json()["running"])
        world.clock.advance(timedelta(minutes=5))
        need = named(client, "Parcel.hang has run for 5 minutes")
        assert need["last_object"] == "Parcel!1"
        assert "1 that run were asked to stop" in press(client, need)
        GATE.set()


def test_wake_ups_that_are_lost(the_shop: Any) -> None:
    if the_shop.engine.dialect.name == "sqlite":
        pytest.skip("there is no connection that could be half open")
    with (
        tempfile.TemporaryDirectory(prefix="afterwork-") as folder,  # a socket's path must be short
        SilentProxy(the_shop.engine.url, Path(folder)) as between,
    ):
        behind = type(the_shop)(create_engine(between.url))
        with behind.app.serving(behind.engine):
            eventually(lambda: behind.rests)
            between.silent.set()
            need = named(page_of(behind.app, behind.engine), "wake-up")
            between.give_up()
        behind.engine.dispose()

    assert "has not reached this server within 1 s" in need["what"]


def test_several_things_at_once_are_told_worst_first_in_one_sentence(world: World) -> None:
    world.app.control(world.engine).pause_lane("other")
    parcel(world, pieces=7)
    parcel(world, pieces=0)
    world.run()
    found = page_of(world.app, world.engine).get("/api/overview").json()

    told = [(need["level"], need["what"]) for need in found["attention"]]
    assert told[:4] == [
        ("alarm", "No server is running"),
        ("alarm", "Export has failed once within an hour"),
        ("alarm", "Parcel.share has failed once within an hour"),
        ("note", "The lane other is paused, and nothing waits in it"),
    ]
    assert found["verdict"]["what"] == "Three things are wrong"
    assert found["verdict"]["waits"] == "nothing waits"

"""Who runs what: servers that serve some lanes, servers that know some works, and servers that are to leave."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.errors import BadDeclaration, NotThere
from afterwork.events import FellAsleep, Pruned, ServerStopped, ServerStopping
from afterwork.store import leases, server_rows
from afterwork.store.dialects import database_of
from afterwork.store.leases import Lease
from afterwork.store.routing import Routing
from afterwork.store.tables import server as servers
from tests.conftest import Shop
from tests.support import shop
from tests.support.shop import Customer, SysAsyncTicket, add_customer
from tests.support.waiting import eventually

WORKS = ("assign_number", "send_mail", "calculate", "export")
"""In the lanes main, mail, parallel and main."""


def ask(the_shop: Shop, *works: str) -> None:
    with the_shop.session() as session, session.begin():
        for work in works:
            if hasattr(Customer, work):
                aw.later(getattr(add_customer(session), work))
            else:
                session.add(SysAsyncTicket(view_model=work, root_object=add_customer(session)))


def done(engine: Engine) -> list[str]:
    """The works of tickets that have ended well."""
    with Session(engine) as session:
        ended = session.scalars(select(SysAsyncTicket).where(SysAsyncTicket.done.is_not(None)))
        return [str(ticket.view_model).removeprefix("Customer.") for ticket in ended if ticket.error is None]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, {*WORKS}),
        ({"lanes": ["mail"]}, {"send_mail"}),
        ({"lanes": ["mail", "parallel"]}, {"send_mail", "calculate"}),
        ({"lanes": ["main"]}, {"assign_number", "export"}),
        ({"except_lanes": ["mail", "parallel"]}, {"assign_number", "export"}),
        ({"only": ["tickets"]}, {*WORKS}),
        ({"only": ["tickets"], "lanes": ["mail"]}, {"send_mail"}),
        ({"only": ["timers", "caches"]}, set()),
    ],
)
def test_a_server_runs_what_it_serves_and_leaves_the_rest(
    the_shop: Shop, settings: dict[str, Any], expected: set[str]
) -> None:
    ask(the_shop, *WORKS)

    Shop(the_shop.engine, settings=aw.Settings(**settings)).run()
    assert set(done(the_shop.engine)) == expected

    the_shop.run()  # one that serves all
    assert set(done(the_shop.engine)) == {*WORKS}


def test_a_server_is_not_kept_awake_by_what_it_does_not_serve(the_shop: Shop) -> None:
    ask(the_shop, *WORKS)
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session).assign_number, after=timedelta(days=1))
    other = Shop(the_shop.engine, settings=aw.Settings(lanes=["nobody's"]))
    with the_shop.engine.connect() as connection:
        runner = other.app.runner(other.app.database(the_shop.engine), connection)

        assert runner.due(connection) == runner.due(connection).__class__({}, None)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"lanes": "mail"}, "give a list of names"),
        ({"only": ["jobs"]}, "there is no 'jobs'. There are: tickets, timers, caches"),
        ({"lanes": ["a"], "except_lanes": ["b"]}, "Say one"),
        ({"lanes": []}, "a server without a lane"),
    ],
)
def test_a_routing_that_cannot_be_meant_is_refused_when_the_app_is_made(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadDeclaration) as found:
        aw.Afterwork(shop.Base, settings=aw.Settings(**settings))
    assert problem in str(found.value)


def test_a_routing_is_what_was_written_down() -> None:
    for one in (Routing(), Routing(("a", "b")), Routing(None, ("ü",), ("caches",))):
        assert Routing.read(one.to_json()) == one
    assert Routing.read(None) == Routing()


# Works that this server's code doesn't know.


@contextmanager
def newer_server(engine: Engine, works: list[str], **settings: Any) -> Iterator[int]:
    """As if a server were there whose code knows other works."""
    routing = Routing(**{name: tuple(value) for name, value in settings.items()})
    with engine.connect() as connection:
        row = {
            "host": "x",
            "process": 0,
            "process_started": 0,
            "locked": False,
            **server_rows.said(works, routing),
        }
        clock = aw.SystemClock().now()
        (number,) = connection.execute(servers.insert().values(**row, started=clock, seen=clock)).inserted_primary_key  # type: ignore[misc]
        connection.commit()
        yield number
        connection.execute(servers.delete().where(servers.c.id == number))
        connection.commit()


@pytest.fixture
def the_newer_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afterwork.server.presence.Presence.crashed", lambda *_: 0)


UNKNOWN = ["Customer.brand_new", "BrandNewView", "customer.brandNew", "Customer.brand_new while flow is in shipped"]


@pytest.mark.usefixtures("the_newer_lives")
@pytest.mark.parametrize("work", UNKNOWN)
def test_what_another_server_knows_is_left_to_it_and_holds_up_nothing(the_shop: Shop, work: str) -> None:
    ask(the_shop, work, "assign_number", work, "export", "fail", work)
    with newer_server(the_shop.engine, ["Customer.brand_new", "BrandNewView"]):
        the_shop.run()
        assert done(the_shop.engine) == ["assign_number", "export"]
        pending = the_shop.app.insight(the_shop.engine).ticket_counts()["waiting"].number
        assert pending == 3


@pytest.mark.usefixtures("the_newer_lives")
def test_what_no_server_knows_that_lives_ends_with_an_error(the_shop: Shop) -> None:
    ask(the_shop, "Customer.brand_new")
    with newer_server(the_shop.engine, ["Customer.something_else"]):
        the_shop.run()

    (ticket,) = everything(the_shop)
    assert "is no view model and no method" in ticket.error or "Customer.brand_new" in ticket.error


@pytest.mark.usefixtures("the_newer_lives")
def test_what_was_left_to_a_server_that_has_gone_ends_with_an_error(the_shop: Shop) -> None:
    with the_shop.engine.connect() as connection:
        runner = the_shop.app.runner(the_shop.app.database(the_shop.engine), connection)
        trigger: Any = runner.job_source
        ask(the_shop, "Customer.brand_new")
        with newer_server(the_shop.engine, ["Customer.brand_new"]):
            assert trigger.claim(connection, "main", None, the_shop.clock.now(), 10).claims == []
            assert runner.due(connection).workloads == {}

        assert runner.due(connection).workloads == {"main": [2147483647]}
        assert len(trigger.claim(connection, "main", None, the_shop.clock.now(), 10).claims) == 1


@pytest.mark.usefixtures("the_newer_lives")
def test_a_server_that_knows_it_but_does_not_serve_its_lane_is_none_to_leave_it_to(the_shop: Shop) -> None:
    ask(the_shop, "Customer.brand_new")
    with newer_server(the_shop.engine, ["Customer.brand_new"], lanes=["mail"]):
        the_shop.run()

    assert everything(the_shop)[0].error is not None


@pytest.mark.usefixtures("the_newer_lives")
@pytest.mark.parametrize("how", ["work", "lane"])
def test_a_run_whose_server_died_is_left_to_one_that_is_there_for_it(the_shop: Shop, how: str) -> None:
    work, lanes = ("Customer.brand_new", None) if how == "work" else ("Customer.export", ["mail"])
    ask(the_shop, work)
    database = database_of(the_shop.engine, the_shop.settings)
    with the_shop.engine.connect() as connection:
        leases.take(database, connection, Lease("run", "1", "main", 4711, epoch=1))
        connection.commit()
    settings = aw.Settings(lanes=lanes)

    with newer_server(the_shop.engine, ["Customer.brand_new", "Customer.export"]):
        assert Shop(the_shop.engine, settings=settings).run() == []
    the_shop.run()
    assert everything(the_shop)[0].done is not None


def everything(the_shop: Shop) -> list[Any]:
    with the_shop.session() as session:
        return list(session.scalars(select(SysAsyncTicket).order_by(SysAsyncTicket.id)))


# Servers that leave.


def test_a_drained_server_ends_what_it_runs_and_leaves(the_shop: Shop) -> None:
    with the_shop.stopping_by(drain):
        ask(the_shop, "assign_number")
        insight = the_shop.app.insight(the_shop.engine)
        (server,) = insight.activity().servers
        assert server.draining
    eventually(lambda: any(isinstance(one, ServerStopped) for one in the_shop.seen))

    assert [(one.unfinished) for one in the_shop.seen if isinstance(one, ServerStopped)] == [0]
    assert [one.why for one in the_shop.seen if isinstance(one, ServerStopping)] == ["it was asked to leave"]
    assert done(the_shop.engine) == ["export"]
    assert the_shop.app.insight(the_shop.engine).activity().servers == []


def drain(the_shop: Shop) -> None:
    (server,) = the_shop.app.insight(the_shop.engine).activity().servers
    the_shop.app.control(the_shop.engine).drain(server.id)


def test_only_a_server_that_is_there_can_be_drained(the_shop: Shop) -> None:
    with pytest.raises(NotThere, match=r"There is no server 77\. There are: none"):
        the_shop.app.control(the_shop.engine).drain(77)


def test_a_server_shows_what_it_serves_and_knows(the_shop: Shop) -> None:
    other = Shop(the_shop.engine, settings=aw.Settings(lanes=["mail", "main"], only=["tickets"]))
    with other.app.serving(the_shop.engine):
        (server,) = other.app.insight(the_shop.engine).activity().servers

    assert str(server.serves) == "lanes mail, main; only tickets"
    assert "customer.assignnumber" in server.knows
    assert json.dumps(server.knows)


@pytest.mark.parametrize("setting", [{"max_jobs": 3}, {"max_memory": 1}])
def test_a_server_that_has_had_enough_begins_anew(the_shop: Shop, setting: dict[str, Any]) -> None:
    ask(the_shop, *(["assign_number"] * 5))
    other = Shop(the_shop.engine, settings=aw.Settings(**setting))
    server = other.app._server(the_shop.engine)
    server.leaving.may_begin_anew = True

    assert server.run() == 0

    assert server.leaving.to_begin_anew
    why = next(one.why for one in other.seen if isinstance(one, ServerStopping))
    assert why.startswith("it has run " if "max_jobs" in setting else "it uses ")
    assert done(the_shop.engine), "it has run something before, however low the limit is"


def test_a_server_waits_for_its_runs_before_it_begins_anew(the_shop: Shop) -> None:
    """However long they take: else, a long external run would be begun anew at each restart."""
    begun, gate = threading.Event(), threading.Event()

    @contextmanager
    def held(run: aw.Run) -> Iterator[None]:
        if run.work == "Customer.export":
            begun.set()
            gate.wait(60)
        yield

    other = Shop(the_shop.engine, settings=aw.Settings(max_jobs=1, grace=timedelta(0)))
    other.app.around = held
    server = other.app._server(the_shop.engine)
    server.leaving.may_begin_anew = True
    unfinished: list[int] = []
    thread = threading.Thread(target=lambda: unfinished.append(server.run()))
    ask(the_shop, "export")
    thread.start()
    assert begun.wait(60)
    ask(the_shop, "calculate")
    eventually(lambda: any(isinstance(one, ServerStopping) for one in other.seen))
    assert thread.is_alive()
    gate.set()
    thread.join(60)

    assert unfinished == [0]
    assert sorted(done(the_shop.engine)) == ["calculate", "export"]


@pytest.mark.parametrize(("only", "served"), [("caches", []), ("timers", []), ("tickets", ["export", "send_mail"])])
def test_each_server_prunes_and_leaves_what_others_start(the_shop: Shop, only: str, served: list[str]) -> None:
    ask(the_shop, "assign_number")
    the_shop.run()
    ask(the_shop, "export", "send_mail")
    the_shop.clock.advance(timedelta(days=1))  # and the first receipt has expired
    other = Shop(the_shop.engine, clock=the_shop.clock, settings=aw.Settings(only=[only]))
    with other.app.serving(the_shop.engine):
        eventually(lambda: any(isinstance(one, Pruned) for one in other.seen))
        eventually(lambda: sorted(done(the_shop.engine)) == served)
        eventually(lambda: any(isinstance(one, FellAsleep) for one in other.seen))

    assert sorted(done(the_shop.engine)) == served


def test_check_names_what_no_server_serves(the_shop: Shop) -> None:
    def found() -> list[str]:
        return [
            one.what for one in the_shop.app.insight(the_shop.engine).check() if one.topic == "lanes" and one.is_fault
        ]

    ask(the_shop, *WORKS)
    assert found() == []
    with Shop(the_shop.engine, settings=aw.Settings(lanes=["nobody's"], only=["tickets"])).app.serving(the_shop.engine):
        unserved = [f"tickets wait in the lane {lane}, which no server serves" for lane in ("mail", "main", "parallel")]
        assert found() == unserved
        waits = the_shop.app.insight(the_shop.engine).ticket("2").waits
        assert waits == ["No running server serves tickets of the lane mail."]

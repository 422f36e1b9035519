"""The pages on timers, and on lanes and servers; and the API on them."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, insert, select
from starlette.testclient import TestClient

import afterwork as aw
from afterwork.events import Acted
from afterwork.store import tables
from tests.support.databases import ON_BOTH
from tests.support.office import Office, an_office
from tests.web.conftest import Act, client_of


@pytest.fixture
def office(engine: Engine) -> Office:
    """Two tasks, and a timer that does them every ten minutes."""
    office = an_office(engine)
    task = office.task
    office.timer(when=aw.Every(minutes=10, criteria=select(task).where(task.done == 0)))
    office.open(tasks=2, bad=lambda number: number == 2)
    return office


@pytest.fixture
def client(office: Office) -> Iterator[TestClient]:
    with client_of(aw.web(office.app, office.engine)) as found:
        yield found


def test_a_model_without_timers_says_how_there_would_be_some(engine: Engine) -> None:
    office = an_office(engine)
    office.open()

    page = client_of(aw.web(office.app, office.engine)).get("/timers").text

    assert "No timers." in page
    assert "aw.Every(minutes=10" in page


def test_timers_are_listed_with_what_came_of_the_last_round(office: Office, client: TestClient) -> None:
    office.run()

    page = client.get("/timers").text

    assert 'href="/timers/Work"' in page
    assert "Every 10 minutes" in page
    assert re.search(r'data-name="Matches">2<', page)
    assert "ValueError: bad" in page


def test_a_timer_shows_its_next_due_times_and_its_rounds(office: Office, client: TestClient) -> None:
    office.run()
    found = office.app.insight(office.engine).timer("Work")

    page = client.get("/timers/Work").text

    assert found.timer.due is not None
    assert list(found.upcoming) == [found.timer.due + n * timedelta(minutes=10) for n in range(5)]
    for at in found.upcoming:
        assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in page
    assert "1 done, 1 failed, 0 put off" in page
    assert "task.done = " in page


def test_a_timer_that_has_not_run_says_so_and_is_late_when_nobody_fires_it(office: Office, client: TestClient) -> None:
    client.get("/timers")
    office.app.control(office.engine).pause("Work")
    office.app.control(office.engine).resume("Work")
    office.clock.advance(timedelta(minutes=30))

    page = client.get("/timers/Work").text

    assert "No run of it has ended within a day." in page
    assert '<span class="badge late">late</span>' in page


def test_a_dry_run_shows_what_would_be_hit_and_changes_nothing(office: Office, client: TestClient) -> None:
    page = client.get("/timers/Work?dry=1").text

    assert "A round now would match 2" in page
    assert "<code>Task!1</code> <code>Task!2</code>" in page
    assert client.get("/api/timers/Work/dry-run").json() == {"would_match": ["Task!1", "Task!2"]}
    assert office.app.insight(office.engine).timer("Work").timer.left.number == 0


def test_a_timer_is_run_cancelled_paused_and_resumed(
    office: Office, client: TestClient, program: TestClient, act: Act
) -> None:
    assert "Work has 2 matches for servers to run." in act("/timers/Work/run", "/timers/Work")
    assert "2 matches of Work cancelled." in act("/timers/Work/cancel", "/timers/Work")
    assert "Timer Work is paused." in act("/timers/Work/pause", "/timers/Work")
    assert "It would be due" in client.get("/timers/Work").text
    assert "Timer Work is resumed." in act("/timers/Work/resume", "/timers/Work")
    assert [event.what for event in office.events if isinstance(event, Acted)] == [
        "ran", "cancelled", "paused", "resumed",
    ]  # fmt: skip


def test_a_timer_that_there_is_not_can_be_neither_seen_nor_run(
    client: TestClient, program: TestClient, act: Act
) -> None:
    assert client.get("/timers/Wrok").status_code == 404
    assert "The model has no timer &#39;Wrok&#39;" in act("/timers/Wrok/run", "/timers/Work")
    assert program.post("/api/timers/Wrok/pause").status_code == 404
    assert client.get("/api/timers/Wrok").json()["detail"].startswith("There is no timer 'Wrok'")


def test_the_api_acts_on_timers(office: Office, client: TestClient) -> None:
    assert client.post("/api/timers/Work/run").json() == {"matches": 2}
    assert client.post("/api/timers/Work/cancel").json() == {"ended": 2, "asked_to_stop": 0}
    assert client.post("/api/timers/Work/pause").status_code == 204
    assert client.get("/api/timers").json()[0]["paused"]
    assert client.post("/api/timers/Work/resume").status_code == 204
    assert not client.get("/api/timers/Work").json()["timer"]["paused"]


# Lanes and servers


def test_lanes_show_who_waits_and_that_nobody_is_there(office: Office, client: TestClient) -> None:
    office.app.control(office.engine).run_now("Work")

    page = client.get("/lanes").text
    (lane,) = [one for one in client.get("/api/lanes").json()["lanes"] if one["name"] == "main"]

    assert "No server is running." in page
    assert "Nothing runs outside of a transaction." in page
    assert (lane["matches"], lane["waiting"]) == ({"number": 2, "or_more": False}, {"number": 0, "or_more": False})


def test_runs_and_servers_are_shown_with_marks(office: Office, client: TestClient) -> None:
    office.app.control(office.engine).run_now("Work")
    now = office.clock.now()
    with office.engine.begin() as connection:
        (hit, *_) = connection.execute(select(tables.match.c.id).order_by(tables.match.c.root_id)).scalars()
        server = {"host": "elsewhere", "process": 7, "process_started": 1.0, "started": now, "locked": False}
        for seen in (now, now - timedelta(hours=1)):
            connection.execute(insert(tables.server).values({**server, "seen": seen}))
        lease = {"run": "r", "ticket": hit, "lane": "main", "server": 1, "epoch": 2, "taken": now, "expires": now}
        connection.execute(insert(tables.lease).values(lease))
        connection.execute(insert(tables.progress).values(ticket=hit, done=40, total=100, at=now, stop=False))

    page, found = client.get("/lanes").text, client.get("/api/lanes").json()

    assert [(one["presence"], len(one["running"])) for one in found["servers"]] == [("alive", 1), ("gone", 0)]
    (run,) = found["running"]
    assert (run["kind"], run["work"], run["root_id"], run["taken_over"]) == ("timer", "Work", "Task!1", 1)
    assert "40 of 100" in page
    assert "taken over once" in page


def test_a_lane_is_paused_and_resumed(office: Office, client: TestClient, program: TestClient, act: Act) -> None:
    assert "Lane main is paused." in act("/lanes/main/pause", "/lanes")
    assert '<span class="badge paused">paused</span>' in client.get("/lanes").text
    assert program.post("/api/lanes/main/resume").status_code == 204
    assert not any(one["paused"] for one in client.get("/api/lanes").json()["lanes"])


def test_a_lane_that_nobody_has_named_is_not_made_by_pausing_it(
    client: TestClient, program: TestClient, act: Act
) -> None:
    assert "There is no lane &#39;mian&#39;. There are: main" in act("/lanes/mian/pause", "/lanes")
    assert program.post("/api/lanes/mian/pause").status_code == 404
    assert "mian" not in [one["name"] for one in client.get("/api/lanes").json()["lanes"]]


def test_what_runs_once_is_retried_from_the_page_only_if_it_has_failed(client: TestClient, act: Act) -> None:
    assert "is no action that runs once and has failed" in act("/once/retry", "/lanes", name="Upgrade.first")


@ON_BOTH
def test_a_lane_in_which_a_transaction_runs_is_seen_to_be_taken(office: Office) -> None:
    if office.engine.dialect.name == "sqlite":
        pytest.skip("SQLite does not tell")
    insight = office.app.insight(office.engine)
    with office.engine.begin() as connection:
        connection.execute(select(tables.lane).where(tables.lane.c.name == "main").with_for_update())
        (held,) = [lane.held_by for lane in insight.activity().lanes if lane.name == "main"]
        process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

    assert held is not None
    assert (held.process, held.since is not None) == (process, True)
    assert not any(lane.held_by for lane in insight.activity().lanes)

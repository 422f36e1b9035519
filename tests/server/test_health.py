"""Whether a server lives and is ready: what is broken is said, and what is well is not asked for again."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

import afterwork as aw
from afterwork.errors import AfterworkError
from afterwork.events import Event, FellAsleep
from afterwork.server import health, loop
from afterwork.server.health import Health, Prober, Pulse
from afterwork.settings import Settings
from afterwork.store.dialects import database_of
from tests.conftest import Shop
from tests.support.called_in_place import CalledInPlace
from tests.support.death import Death
from tests.support.proxy import SilentProxy
from tests.support.waiting import eventually
from tests.support.world import statements


def reasons(found: Health) -> dict[str, str]:
    """What is not well."""
    return {sign.name: sign.says for sign in found.signs if not sign.good}


@pytest.fixture
def asleep(the_shop: Shop) -> Iterator[Shop]:
    """A shop whose server has nothing to do."""
    with the_shop.app.serving(the_shop.engine):
        eventually(lambda: the_shop.rests)
        yield the_shop


def test_a_sleeping_server_is_ready_since_what_wakes_it_reaches_it(asleep: Shop) -> None:
    found = asleep.app.health(asleep.engine)

    assert found.live
    assert found.ready, found
    assert [sign.name for sign in found.signs] == ["loop", "workers", "listeners", "database", "wake-up"]


def test_a_probe_does_not_make_a_sleeping_server_look_on_postgresql(asleep: Shop) -> None:
    if asleep.engine.dialect.name == "sqlite":
        pytest.skip("there, nothing but a write can show that writes are noticed")
    before = list(asleep.seen)

    with statements(asleep.engine) as sent:
        assert asleep.app.health(asleep.engine).ready

    assert [one for one in sent if "sys_async_ticket" in one] == []
    assert asleep.seen == before


def test_that_all_is_well_is_believed_for_a_while(asleep: Shop) -> None:
    asleep.app.health(asleep.engine)

    with statements(asleep.engine) as sent:
        for _ in range(10):
            assert asleep.app.health(asleep.engine).ready

    assert sent == []


def test_it_is_looked_again_after_the_while_and_wherever_something_was_wrong(the_shop: Shop) -> None:
    """By a clock in the test's hand."""
    now = [0.0]
    looks: list[bool] = []

    def wakes(connection: object, seconds: float) -> bool:
        looks.append(True)
        return len(looks) != 2

    prober = Prober(database_of(the_shop.engine, Settings()), wakes, lambda: now[0])

    def ready() -> bool:
        return all(sign.good for sign in prober.look())

    assert [ready(), ready(), len(looks)] == [True, True, 1]
    now[0] += health.GOOD_FOR_SECONDS
    assert [ready(), len(looks)] == [False, 2]
    assert [ready(), ready(), len(looks)] == [True, True, 3]


def test_a_listen_that_hears_nothing_is_not_ready(asleep: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the reason."""
    if asleep.engine.dialect.name == "sqlite":
        pytest.skip("there is no connection to listen on")
    server = asleep.app._servers[0][1]
    waker = server._link.waker
    monkeypatch.setattr(waker, "_channel", "afterwork_elsewhere")  # what is sent reaches nobody

    found = asleep.app.health(asleep.engine)

    assert found.live
    assert not found.ready
    assert "has not reached this server within 1 s" in reasons(found)["wake-up"]


def test_a_server_whose_connection_is_half_open_is_not_ready_until_it_has_another_one(the_shop: Shop) -> None:
    if the_shop.engine.dialect.name == "sqlite":
        pytest.skip("there is no connection that could be half open")
    with (
        tempfile.TemporaryDirectory(prefix="afterwork-") as folder,  # a socket's path must be short
        SilentProxy(the_shop.engine.url, Path(folder)) as between,
    ):
        behind = Shop(create_engine(between.url))
        with behind.app.serving(behind.engine):
            eventually(lambda: behind.rests)
            between.silent.set()

            assert "has not reached this server within 1 s" in reasons(behind.app.health(behind.engine))["wake-up"]

            between.give_up()
            eventually(lambda: behind.app.health(behind.engine).ready)
        behind.engine.dispose()


def test_a_file_whose_writes_are_not_noticed_is_not_ready(asleep: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    if asleep.engine.dialect.name != "sqlite":
        pytest.skip("there is no file to watch")
    waker = asleep.app._servers[0][1]._link.waker
    monkeypatch.setattr(waker, "has_changed", lambda: False)

    assert "wake-up" in reasons(asleep.app.health(asleep.engine))


def test_a_killed_connection_is_made_again_and_the_server_is_ready_then(asleep: Shop) -> None:
    if asleep.engine.dialect.name == "sqlite":
        pytest.skip("there are no connections to be killed")
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND application_name = 'afterwork' AND pid <> pg_backend_pid()"
    )
    with asleep.engine.begin() as connection:
        connection.execute(text(kill))

    eventually(lambda: asleep.app.health(asleep.engine).ready)
    assert asleep.app.health(asleep.engine).live


def test_a_loop_that_is_stuck_is_not_live(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is held up by whatever is called where an event happens."""
    monkeypatch.setattr(loop, "ITERATION_SECONDS", 0.05)
    gate, stuck = threading.Event(), threading.Event()

    def hold(event: Event) -> None:
        if isinstance(event, FellAsleep) and not gate.is_set():
            stuck.set()
            gate.wait(30)

    app = aw.Afterwork(the_shop.app.base)
    app.events = CalledInPlace([hold])
    with app.serving(the_shop.engine):
        assert stuck.wait(20)
        eventually(lambda: not app.health(the_shop.engine).live)
        found = app.health(the_shop.engine)
        gate.set()

    assert not found.ready
    assert "should have been back" in reasons(found)["loop"]


def test_a_loop_that_has_ended_is_not_live(the_shop: Shop) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, FellAsleep):
            raise Death

    app = aw.Afterwork(the_shop.app.base)
    app.events = CalledInPlace([fail])
    seen: list[Health] = []
    with pytest.raises(AfterworkError), app.serving(the_shop.engine):
        eventually(lambda: not app.health(the_shop.engine).live)
        seen.append(app.health(the_shop.engine))

    assert reasons(seen[0])["loop"] == "the loop of the server has ended"


def test_a_server_that_drains_is_live_and_not_ready(the_shop: Shop) -> None:
    with the_shop.stopping():
        found = the_shop.app.health(the_shop.engine)

    assert found.live
    assert "about to stop" in reasons(found)["draining"]


def test_without_a_server_the_database_alone_counts(the_shop: Shop) -> None:
    found = the_shop.app.health(the_shop.engine)

    assert (found.live, found.ready, [sign.name for sign in found.signs]) == (True, True, ["database"])


def test_a_database_that_is_not_installed_is_not_ready(the_shop: Shop) -> None:
    with the_shop.engine.begin() as connection:
        connection.execute(text("UPDATE afterwork_installation SET value = '0' WHERE name = 'schema_version'"))

    found = the_shop.app.health(the_shop.engine)

    assert found.live
    assert "has version 0" in reasons(found)["database"]


def test_a_database_that_never_answers_is_not_ready(the_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The probe itself answers."""
    monkeypatch.setattr(health, "ANSWER_SECONDS", 0.01)
    monkeypatch.setattr(health, "WAKE_SECONDS", 0.01)
    gate = threading.Event()
    database = database_of(the_shop.engine, Settings())
    connect: Callable[[], object] = database.connect
    monkeypatch.setattr(database, "connect", lambda: (gate.wait(30), connect())[1])
    prober = Prober(database, None)

    assert "has not answered" in prober.look()[0].says
    gate.set()
    eventually(lambda: prober.look()[0].good)


def test_the_pulse_is_late_only_after_its_promise() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    assert pulse.late == 0

    pulse.promise(5)
    now[0] = 5
    assert pulse.late == 0

    now[0] = 7
    assert pulse.late == 2

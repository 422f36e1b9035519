"""A server of whose workers none is left for a kind of work is not ready, and says so wherever one looks."""

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.settings import MAX_REPLACED_PER_WORKER
from tests.support.waiting import eventually
from tests.support.world import World
from tests.web.conftest import client_of

WORKERS = 1
MOST = WORKERS + MAX_REPLACED_PER_WORKER * WORKERS


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method(external=True, lane=None)
    def hang(self) -> None:
        HANGING.append(self.id)
        GATE.wait()


GATE = threading.Event()
HANGING: list[int] = []


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    GATE.clear()
    HANGING.clear()
    settings = aw.Settings(
        workers=WORKERS,
        held_limit=timedelta(seconds=0.1),
        standby_poll=timedelta(seconds=0.05),
        lease=timedelta(hours=1),
    )
    yield World(engine, Base, settings=settings)
    GATE.set()


def test_a_server_all_of_whose_external_runs_hang_is_not_ready_until_one_ends(world: World) -> None:
    insight, client = world.app.insight(world.engine), client_of(aw.web(world.app, world.engine))
    with world.session() as session, session.begin():
        for number in range(1, MOST + 2):
            thing = Thing(id=number)
            session.add(thing)
            aw.later(thing.hang)

    def wrong() -> list[str]:
        found = [finding.what for finding in insight.check() if not finding.right]
        return [what for what in found if "no worker is left for external runs" in what]

    with world.app.serving(world.engine):
        eventually(lambda: len(HANGING) == MOST)
        eventually(lambda: not world.app.health(world.engine).ready)
        health = world.app.health(world.engine)
        assert health.live
        (said,) = [sign for sign in health.signs if not sign.good]
        assert said.name == "workers"
        assert said.says.startswith("none is left for external and parallel runs (lanes parallel)")
        answer = client.get("/readyz")
        assert (answer.status_code, said.says in answer.text) == (503, True)
        assert client.get("/livez").status_code == 200
        assert len(wrong()) == 1
        assert [need.what for need in insight.overview().attention if "no worker left" in need.what]

        GATE.set()
        eventually(lambda: world.app.health(world.engine).ready)
        assert wrong() == []

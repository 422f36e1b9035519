"""A commit that waits for a synchronous standby is done already. Nothing ends the wait, which is there for a reason."""

import threading
from datetime import timedelta
from typing import Any

from sqlalchemy import create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from tests.support.own_postgres import own_postgres
from tests.support.waiting import eventually
from tests.support.world import World, the_only

LIMIT = timedelta(seconds=0.5)


class Base(DeclarativeBase): ...


class SysAsyncTicket(aw.AsyncTicket, Base): ...


class Thing(Base):
    __tablename__ = "thing"
    id: Mapped[int] = mapped_column(primary_key=True)

    @aw.method(timeout=LIMIT)
    def work(self) -> None: ...


AWAITING = text("SELECT query_start FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query = 'COMMIT'")


def test_a_commit_is_not_cancelled_while_it_waits_for_a_standby() -> None:
    with own_postgres() as postgres:
        url = postgres.create_database()
        engine = create_engine(url)
        world = World(engine, Base, settings=aw.Settings(inside_limit=LIMIT))
        with world.session() as session, session.begin():
            thing = Thing()
            session.add(thing)
            aw.later(thing.work)
        test = create_engine(url, isolation_level="AUTOCOMMIT")
        looks: list[Any] = []
        event.listen(engine, "connect", lambda *made: looks.append(made))
        run = threading.Thread(target=world.run)
        with test.connect() as connection:

            def require(standby: str) -> None:
                connection.execute(text(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'"))
                connection.execute(text("SELECT pg_reload_conf()"))

            try:
                require("nobody")
                run.start()
                eventually(lambda: connection.execute(AWAITING).scalar())
                since, before = connection.execute(AWAITING).scalar(), len(looks)
                eventually(lambda: len(looks) > before + 1)
                assert connection.execute(AWAITING).scalar() == since
            finally:
                require("")
                run.join(60)
        assert the_only(engine, SysAsyncTicket).error is None
        engine.dispose()
        test.dispose()

"""Servers that start at the same moment add the same timers."""

import threading

from sqlalchemy import Engine, select

import afterwork as aw
from afterwork.store.dialects import database_of
from afterwork.store.tables import timer
from afterwork.store.timers import Timers
from tests.support.office import an_office


def test_a_timer_that_another_server_has_added_meanwhile_is_left_alone(engine: Engine) -> None:
    office = an_office(engine)
    office.timer("Work", root=False, when=aw.Every(minutes=10))
    office.open()
    office.run()
    now, dialect = office.clock.now(), database_of(engine, office.app.settings).dialect
    with engine.connect() as connection, connection.begin():
        before = connection.execute(select(timer)).all()
        Timers(dialect, office.app.model.timers).add(connection, "Work", "every 0:10:00", now, now)
        assert connection.execute(select(timer)).all() == before


def test_servers_that_start_at_once_start_all(engine: Engine) -> None:
    office = an_office(engine)
    for number in range(20):
        office.timer(f"Work{number}", root=False, when=aw.Every(minutes=10))
    office.open()
    together, raised = threading.Barrier(4), list[BaseException]()

    def start() -> None:
        database = database_of(engine, office.app.settings)
        together.wait()
        try:
            with database.connect() as connection:
                office.app.runner(database, connection)
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert raised == []

"""While a server of the old release runs and others write, a migration changes what they read and write."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import Engine, text

from tests.migrations.environment import Migrations, faults
from tests.migrations.releases import begin, check_all_is_right, release
from tests.support.waiting import eventually


class Writer:
    """Adds and changes orders all the time, as a program of either release does."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.written = 0
        self.failures: list[Exception] = []
        self._stop = Event()

    @contextmanager
    def writing(self) -> Iterator[None]:
        thread = Thread(target=self._write)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _write(self) -> None:
        while not self._stop.wait(0.002):
            try:
                with self.engine.begin() as connection:
                    connection.execute(text("UPDATE orders SET amount = amount + 1 WHERE id % 3 = 0"))
                    connection.execute(text("INSERT INTO orders (customer_id, amount) VALUES (1, 5)"))
            except Exception as error:
                self.failures.append(error)
            self.written += 1

    def go_on(self) -> None:
        """Wait until some more has been written."""
        target = self.written + 3
        eventually(lambda: self.written >= target)


def test_nothing_is_missed_by_servers_of_two_releases(engine: Engine, tmp_path: Path) -> None:
    older, newer = begin(engine), release(has_discount=True)
    migrations = Migrations(tmp_path, engine, newer.base.metadata, {"render_as_batch": True})
    migrations.revision()
    writer = Writer(engine)
    with older.app.serving(engine), writer.writing():
        writer.go_on()
        migrations.upgrade()
        writer.go_on()
        with newer.app.serving(engine):
            writer.go_on()
        migrations.downgrade()
        writer.go_on()
        migrations.upgrade()

    assert writer.failures == []
    assert faults(newer.app, engine) == []
    check_all_is_right(newer, engine)

"""Afterwork with a total that is right at commit: no server runs, and the writer's own transaction computes it."""

from sqlalchemy import create_engine

import afterwork as aw
from benchmarks.cache.drivers.driver import customer_of, main
from benchmarks.cache.drivers.raw import SUM, TOTAL, sqlalchemy_url
from benchmarks.cache.drivers.writer import Writer
from benchmarks.cache.sets import summing
from benchmarks.support.contestant import Failed


class AtCommit(Writer):
    def setup(self) -> None:
        """Install it."""
        engine = create_engine(sqlalchemy_url(self.database))
        app = aw.Afterwork(summing(at="commit"))
        app.install(engine)
        app.run_until_idle(engine)
        engine.dispose()

    def change(self, line: int, quantity: int) -> float:
        taken = super().change(line, quantity)
        if self.raw(TOTAL, customer_of(line)) != self.raw(SUM, customer_of(line)):
            raise Failed("a total was wrong after a commit")
        return taken


if __name__ == "__main__":
    main(AtCommit)

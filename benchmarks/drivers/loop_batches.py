"""The same ORM work in batches, written by hand: what is left if all that Afterwork does besides is taken away.

Like Afterwork, it loads the roots of a batch by one query and commits once. It has no lanes, errors, receipts or
retries, and calls no method by its name.
"""

import time
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, Integer, create_engine, event, insert, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from benchmarks.drivers.driver import main
from benchmarks.support.model import Base, Customer, NumberSeries

BATCH = 300
POLL = 0.005


class Job(Base):
    __tablename__ = "job"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    done: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


TODO = Job.done.is_(None)
Index("job_todo", Job.id, postgresql_where=TODO, sqlite_where=TODO)
NEXT = select(Job).where(TODO).order_by(Job.id).limit(BATCH).with_for_update(skip_locked=True)


class BatchLoop:
    def __init__(self, database: str) -> None:
        if database.startswith("postgresql://"):
            self.engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
        else:
            self.engine = create_engine(f"sqlite:///{database}")
            event.listen(self.engine, "connect", _connected)
            event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))

    def setup(self) -> None:
        Base.metadata.create_all(self.engine)

    def enqueue(self, count: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(Job), [{"customer": n} for n in range(1, count + 1)])

    def send(self, customer: int) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(Job), {"customer": customer})

    def work(self) -> None:
        while True:
            if not self.batch():
                time.sleep(POLL)

    def batch(self) -> bool:
        """Do the next jobs in one transaction. Returns False if there are none."""
        with Session(self.engine) as session, session.begin():
            jobs = session.scalars(NEXT).all()
            numbers = [job.customer for job in jobs]
            customers = {one.id: one for one in session.scalars(select(Customer).where(Customer.id.in_(numbers)))}
            for job in jobs:
                self.assign(session, customers[job.customer])
                job.done = datetime.now(UTC)
        return bool(jobs)

    def assign(self, session: Session, customer: Customer) -> None:
        if customer.number is None:
            series = session.get_one(NumberSeries, "customer")
            series.last += 1
            customer.number, customer.at = series.last, time.time()


def _connected(connection: object, _record: object) -> None:
    connection.isolation_level = None  # type: ignore[attr-defined]
    connection.execute("PRAGMA synchronous = FULL")  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(BatchLoop)

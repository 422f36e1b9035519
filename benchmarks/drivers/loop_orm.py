"""The same loop on PostgreSQL, written by hand with SQLAlchemy's ORM, like the jobs that Afterwork runs. It has no
lanes, errors, receipts or retries, so its time is the ORM's."""

import time
from datetime import UTC, datetime

from sqlalchemy import BigInteger, DateTime, ForeignKey, create_engine, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from benchmarks.drivers.driver import log, main
from benchmarks.drivers.loop_postgresql import Loop
from benchmarks.support.model import Base, Customer, NumberSeries


class Job(Base):
    __tablename__ = "job"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    customer: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    done: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


NEXT = select(Job).where(Job.done.is_(None)).order_by(Job.id).limit(1).with_for_update(skip_locked=True)


class OrmLoop(Loop):
    def __init__(self, database: str) -> None:
        self.engine = create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
        super().__init__(database)

    def setup(self) -> None:
        Base.metadata.create_all(self.engine)

    def one(self) -> bool:
        with Session(self.engine) as session, session.begin():
            job = session.scalars(NEXT).first()
            if job is None:
                return False
            number = job.customer
            customer = session.get_one(Customer, number)
            series = session.get_one(NumberSeries, "customer")
            series.last += 1
            customer.number, customer.at = series.last, time.time()
            job.done = datetime.now(UTC)
        log.committed(number, time.time())
        return True


if __name__ == "__main__":
    main(OrmLoop)

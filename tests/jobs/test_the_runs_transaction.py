"""A job works in the run's transaction, and can't end it."""

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Counter(Base):
    __tablename__ = "counter"
    id: Mapped[int] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)

    @aw.method
    def increment(self) -> None:
        self.value += 1

    @aw.method
    def commit_connection(self) -> None:
        aw.session(self).flush()
        aw.session(self).connection().commit()

    @aw.method
    def roll_back_connection(self) -> None:
        aw.session(self).connection().rollback()


@pytest.mark.parametrize("misuse", ["commit_connection", "roll_back_connection"])
def test_what_ends_the_transaction_of_a_batch_fails_alone(engine: Engine, misuse: str) -> None:
    """Its neighbours have their effects once, and their receipts with them."""
    app = aw.Afterwork(Base)
    Base.metadata.create_all(engine)
    app.install(engine)
    with Session(engine) as session, session.begin():
        counter = Counter()
        session.add(counter)
        aw.later(counter.increment)
        aw.later(getattr(counter, misuse))
        aw.later(counter.increment)

    app.run_until_idle(engine)

    with Session(engine) as session:
        errors = session.scalars(select(SysAsyncTicket.error).order_by(SysAsyncTicket.id)).all()
        assert session.scalars(select(Counter.value)).one() == 2
    assert [error is None for error in errors] == [True, False, True]
    assert "TransactionIsTheRuns" in (errors[1] or "")

"""Celery beside Afterwork, during a move: messages of callers that still use Celery end as tickets, and a job sends one
for a task that has not moved yet.

    celery -A examples.frameworks.celery_app worker
    afterwork serve examples.frameworks.celery_app:work --database URL
"""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init
from sqlalchemy import Engine, create_engine, false
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

import afterwork as aw

celery_app = Celery("orders", broker=os.environ.get("CELERY_BROKER_URL", "amqp://"))
engine: Engine = create_engine(os.environ.get("DATABASE_URL") or "sqlite:///orders.db")


@worker_process_init.connect  # type: ignore[untyped-decorator]
def forget_connections(**_: Any) -> None:
    """Forget, in each process that Celery forks, the connections of the one it was forked from."""
    engine.dispose(close=False)


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    confirmed: Mapped[bool] = mapped_column(default=False, server_default=false())
    packed: Mapped[bool] = mapped_column(default=False, server_default=false())

    @aw.method(precondition=lambda self: not self.confirmed)
    def confirm(self) -> None:
        """Confirm the order, which was a task, and have it packed, which still is one."""
        self.confirmed = True
        aw.later(self.hand_over)

    @aw.method(external=True, lane=None, retry=aw.Retry(attempts=10))
    def hand_over(self) -> None:
        """Send the message for packing. The ticket is its outbox: no confirmation, no message."""
        celery_app.send_task("orders.pack", args=[self.id], task_id=str(aw.current_run().id))


work = aw.Afterwork(Base)


@celery_app.task(name="orders.confirm", acks_late=True, autoretry_for=(Exception,), max_retries=None)  # type: ignore[untyped-decorator]
def confirm(key: int) -> None:
    """Ask for what was done here. The message is acknowledged after the ticket has been committed, so none is lost."""
    with Session(engine) as session, session.begin():
        order = session.get(Order, key)
        if order is not None:
            aw.later(order.confirm, unique=True)


@celery_app.task(name="orders.pack")  # type: ignore[untyped-decorator]
def pack(key: int) -> None:
    """Pack an order: work that has not moved yet."""
    with Session(engine) as session, session.begin():
        session.get_one(Order, key).packed = True

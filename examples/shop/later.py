"""The life of tickets, with a clock that we control. Run it: python examples/shop/later.py"""

import logging
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

if not __package__:  # run by its path: look for modules where it was started from the repository's root
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session

import afterwork as aw
from afterwork.events import Event, Failed, PutOff, Ran
from examples.shop import Base, Customer, Order, SysAsyncTicket, app, create, post_office


class Story:
    """A shop whose server and clock run only when we say so."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = aw.ManualClock()
        self.app = aw.Afterwork(Base, clock=self.clock, on_event=tell)

    def run(self) -> None:
        """Run what is due. Afterwork reports it by events."""
        if not self.app.run_until_idle(self.engine):
            print("  nothing is due")

    def wait(self, words: str, span: timedelta) -> None:
        """Let time pass."""
        self.clock.advance(span)
        print(f"  … {words} later:")


def tell(event: Event) -> None:
    match event:
        case Ran(work, root_id) if work in app.model.works:  # asked for, and not the calculated values: see caches.py
            print(f"  {work} on {root_id} is done")
        case PutOff(work, root_id, error=error, attempt=attempt, seconds=seconds):
            print(f"  {work} on {root_id}: attempt {attempt} raised {error}")
            print(f"  the next one is in {seconds:.0f} seconds")
        case Failed(work, root_id, error=error):
            print(f"  {work} on {root_id} ended with this in its Error: {error}")


def delayed_start(story: Story, session: Session) -> None:
    print("A delayed start: remind Ann in three days")
    ann = session.get_one(Customer, 1)
    aw.later(ann.remind, after=timedelta(days=3))
    session.commit()
    story.run()
    story.wait("three days and an hour", timedelta(days=3, hours=1))
    story.run()


def receipt(story: Story, session: Session) -> None:
    print("A receipt: what was done stays to be read, here for an hour")
    ann = session.get_one(Customer, 1)
    aw.later(ann.assign_number, keep=timedelta(hours=1))
    session.commit()
    story.run()
    print(f"  receipts of it: {count(session, 'Customer.assign_number')}")
    story.wait("two hours", timedelta(hours=2))
    story.run()
    print(f"  receipts of it: {count(session, 'Customer.assign_number')}")


def retry(story: Story, session: Session) -> None:
    print("Retry with back-off: the letter to Ann, while the post office is closed")
    order = Order(customer=session.get_one(Customer, 1))
    session.add(order)
    aw.later(order.confirm)
    session.commit()
    post_office.is_open = False
    story.run()
    story.wait("ten seconds", timedelta(seconds=10))
    story.run()
    post_office.is_open = True
    story.wait("twenty seconds", timedelta(seconds=20))
    story.run()
    print(f"  letters sent: {len(post_office.sent)}")


def unique_request(story: Story, session: Session) -> None:
    print("A unique request: two ask for the same reminder, and get the same ticket")
    ann = session.get_one(Customer, 1)
    first = aw.later(ann.remind, after=timedelta(days=30), unique=True)
    session.commit()
    second = aw.later(ann.remind, after=timedelta(days=30), unique=True)
    session.commit()
    print(f"  ticket {first.id}, and ticket {second.id}")


def refused_precondition(story: Story, session: Session) -> None:
    print("A refused precondition: Ann has a number already")
    ann = session.get_one(Customer, 1)
    print(f"  aw.can(ann.assign_number) is {aw.can(ann.assign_number)}, and who asks nevertheless is told:")
    aw.later(ann.assign_number)
    session.commit()
    story.run()


def root_that_never_comes(story: Story, session: Session) -> None:
    print("A root that never comes: somebody asks for a customer who is not there")
    session.add(SysAsyncTicket(view_model="Customer.assign_number", root_id="Customer!4711"))
    session.commit()
    story.run()


def count(session: Session, work: str) -> int:
    return session.scalar(select(func.count()).where(SysAsyncTicket.view_model == work)) or 0


def main(engine: Engine) -> None:
    create(engine)
    story = Story(engine)
    story.app.install(engine)
    with Session(engine) as session:
        session.add(Customer(name="Ann"))
        session.commit()
        story.app.run_until_idle(engine)  # the total of a customer who has no order yet
        for chapter in (delayed_start, receipt, retry, unique_request, refused_precondition, root_that_never_comes):
            chapter(story, session)
            print()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)  # what the log would say, the story says
    with tempfile.TemporaryDirectory() as folder:
        main(create_engine(f"sqlite:///{folder}/shop.db"))

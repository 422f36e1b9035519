"""Inside runs: many in one transaction, which is Afterwork's; the one that fails fails alone."""

from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import afterwork as aw
from afterwork.errors import NoCurrentRun
from afterwork.events import Failed, PutOff, Ran
from tests.conftest import Shop
from tests.support.shop import Customer, NumberSeries, add_customer, numbers
from tests.support.shop import SysAsyncTicket as ShopTicket
from tests.support.world import World, errors, everything, the_only, works


class Base(DeclarativeBase):
    pass


class SysAsyncTicket(aw.AsyncTicket, Base):
    pass


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Node(Base):
    __tablename__ = "node"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="", unique=False)
    only: Mapped[str | None] = mapped_column(unique=True)

    runs: ClassVar[list[aw.Run]] = []

    @aw.method
    def count_names(self) -> None:
        """Flushes and queries in the middle."""
        session = aw.session(self)
        session.add(Node(name="added"))
        session.flush()
        session.add(Node(name="added"))
        self.name = f"{session.scalar(select(func.count()).where(Node.name == 'added'))} added"

    @aw.method
    def try_and_undo(self) -> None:
        session = aw.session(self)
        self.name = "kept"
        try:
            with session.begin_nested():
                session.add(Node(only="taken"))
                session.flush()
                session.add(Node(only="taken"))
        except IntegrityError:
            self.name += ", undone"

    @aw.method
    def commit(self) -> None:
        self.name = "never saved"
        aw.session(self).commit()

    @aw.method
    def roll_back(self) -> None:
        self.name = "never saved"
        aw.session(self).rollback()

    @aw.method
    def close(self) -> None:
        self.name = "never saved"
        with aw.session(self):
            pass

    @aw.method
    def empty(self) -> None:
        self.name = "never saved"
        aw.session(self).expunge_all()

    @aw.method
    def look_again(self) -> None:
        session = aw.session(self)
        session.expire_all()
        counter = session.get_one(Node, 1)
        session.expire(counter)
        session.refresh(counter)
        counter.name += "x"
        session.expunge(self)

    @aw.method
    def break_a_constraint(self) -> None:
        self.only = "taken"

    @aw.method
    def shout(self) -> None:
        raise ValueError("x" * 1_000_000)

    @aw.method
    def mumble(self) -> None:
        raise ValueError("a\0b\x1b[31mc\ud800d\u202e\nräk 🦐")

    @aw.method
    def choke(self) -> None:
        raise Unprintable

    @aw.method
    def leave(self) -> None:
        raise SystemExit(3)

    @aw.method
    def ask_for_more(self) -> None:
        if len(self.name) < 5:
            self.name += "x"
            aw.later(self.ask_for_more)

    @aw.method
    def remove(self) -> None:
        session = aw.session(self)
        session.delete(session.get_one(Node, self.id + 1))

    @aw.method
    def remove_and_flush(self) -> None:
        self.remove()
        aw.session(self).flush()

    @aw.method
    def mark(self) -> None:
        self.name += "marked"

    @aw.method(retry=aw.Retry(attempts=3, backoff=lambda attempt: timedelta(minutes=10 * attempt)))
    def keep_trying(self) -> None:
        Node.runs.append(aw.current_run())
        self.name = "never saved"
        raise ValueError(f"attempt {aw.current_run().attempt}")

    @aw.method(retry=aw.Retry(attempts=3, on=(OSError,)))
    def give_up(self) -> None:
        raise ValueError("not worth it")

    @aw.method(lane=None)
    def alone(self) -> None:
        Node.runs.append(aw.current_run())


@pytest.fixture
def world(engine: Engine) -> World:
    Node.runs.clear()
    return World(engine, Base)


def ask(world: World, *names: str) -> list[str | None]:
    """A ticket for each name, each on a node of its own. Runs them, and returns their errors."""
    with world.session() as session, session.begin():
        for name in names:
            node = Node()
            session.add(node)
            session.flush()
            session.add(SysAsyncTicket(view_model=f"Node.{name}", root_object=node))
    world.run()
    return errors(world.engine, SysAsyncTicket)


def names(world: World) -> list[str]:
    return [node.name for node in everything(world.engine, Node)]


def test_a_job_may_flush_and_query_as_it_likes(world: World) -> None:
    assert ask(world, "count_names") == [None]
    assert names(world) == ["2 added", "added", "added"]


def test_a_job_may_undo_a_part_of_what_it_did(world: World) -> None:
    assert ask(world, "try_and_undo", "try_and_undo") == [None, None]
    assert names(world) == ["kept, undone", "kept, undone"]


@pytest.mark.parametrize("name", ["commit", "roll_back", "close", "empty"])
def test_a_job_can_not_end_the_transaction_that_is_the_runs(world: World, name: str) -> None:
    """And what the others of the batch did is saved."""
    before, error, after = ask(world, "mark", name, "mark")

    assert (before, after) == (None, None)
    assert error is not None
    assert error.startswith("TransactionIsTheRuns: A job can't ")
    assert names(world) == ["marked", "", "marked"]


def test_one_that_raises_fails_alone_and_the_numbers_of_the_others_have_no_gap(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        for n in range(20):
            customer = add_customer(session, f"No {n}")
            aw.later(customer.fail if n % 7 == 3 else customer.assign_number)

    the_shop.run()

    found = numbers(the_shop.engine)
    assert [number for number in found if number] == list(range(1, 18))
    failed = [n for n, error in enumerate(errors(the_shop.engine, ShopTicket)) if error]
    assert failed == [3, 10, 17]
    assert [n for n, number in enumerate(found) if number is None] == failed
    with the_shop.session() as session:
        assert session.get_one(NumberSeries, "customer").last == 17
        assert set(session.scalars(select(Customer.notes))) == {""}


def test_a_failed_ticket_says_what_was_raised_and_where(the_shop: Shop) -> None:
    with the_shop.session() as session, session.begin():
        aw.later(add_customer(session, "Ann").fail)

    the_shop.run()

    (error,) = errors(the_shop.engine, ShopTicket)
    assert error is not None
    assert error.startswith("ValueError: Ann can't be done (shop.py:")
    assert error.endswith(", in fail)")
    (failed,) = [event for event in the_shop.seen if isinstance(event, Failed)]
    assert (failed.work, failed.root_id, failed.error) == ("Customer.fail", "Customer!1", error)


def test_a_constraint_that_the_flush_at_the_end_breaks_is_the_fault_of_the_one_that_broke_it(world: World) -> None:
    good, bad, other = ask(world, "break_a_constraint", "break_a_constraint", "mark")

    assert (good, other) == (None, None)
    assert bad is not None
    assert bad.startswith("IntegrityError")
    assert [node.only for node in everything(world.engine, Node)] == ["taken", None, None]
    assert names(world) == ["", "", "marked"]


def test_an_exception_of_any_text_is_kept_as_a_text_that_can_be_read(world: World) -> None:
    long, dirty, none, fine = ask(world, "shout", "mumble", "choke", "mark")

    assert fine is None
    assert long is not None
    assert long.startswith("ValueError: xxx")
    assert "1,000,012 characters" in long
    assert len(long) <= 4200
    assert dirty is not None
    assert dirty.startswith(r"ValueError: a\x00b\x1b[31mc\ud800d\u202e" + "\nräk 🦐")
    assert none is not None
    assert none.startswith("Unprintable: (its text can't be had: RuntimeError)")


def test_a_job_may_ask_for_more_work(world: World) -> None:
    assert ask(world, "ask_for_more") == [None] * 6
    assert names(world) == ["xxxxx"]


@pytest.mark.parametrize("name", ["remove", "remove_and_flush"])
def test_a_root_that_an_earlier_ticket_of_the_same_batch_deletes_is_not_there(world: World, name: str) -> None:
    assert ask(world, name, "mark", "mark") == [None, "The root Node!2 is not there (any more).", None]
    assert names(world) == ["", "marked"]


def test_a_job_that_reads_its_objects_anew_loses_nothing_of_what_others_of_the_batch_changed(world: World) -> None:
    assert ask(world, "mark", "look_again", "look_again", "mark", "look_again") == [None] * 5
    assert names(world) == ["markedxxx", "", "", "marked", ""]


def test_retries_keep_count_and_the_last_error_stays(world: World) -> None:
    assert ask(world, "keep_trying") == [None]
    first = the_only(world.engine, SysAsyncTicket)
    assert (first.attempts, first.done) == (1, None)
    assert first.execute_earliest == world.clock.now() + timedelta(minutes=10)

    world.clock.advance(timedelta(minutes=10))
    world.run()
    second = the_only(world.engine, SysAsyncTicket)
    assert (second.attempts, second.done) == (2, None)
    assert second.execute_earliest == world.clock.now() + timedelta(minutes=20)

    world.clock.advance(timedelta(minutes=19))
    assert world.run() == []
    world.clock.advance(timedelta(minutes=1))
    world.run()
    third = the_only(world.engine, SysAsyncTicket)
    assert third.attempts == 3
    assert third.error.startswith("ValueError: attempt 3")
    assert third.done == world.clock.now()
    assert names(world) == [""]

    # Each attempt of a batch of one is made once.
    assert [run.attempt for run in Node.runs] == sorted(run.attempt for run in Node.runs)
    assert len({run.id for run in Node.runs}) == 1
    kinds = [type(event) for event in world.seen if isinstance(event, PutOff | Failed | Ran)]
    assert kinds == [PutOff, PutOff, Failed]


def test_an_exception_that_is_not_worth_another_attempt_ends_it_at_once(world: World) -> None:
    (error,) = ask(world, "give_up")

    assert error is not None
    assert error.startswith("ValueError: not worth it")


def test_what_runs_now_can_be_asked_only_inside_of_a_run(world: World) -> None:
    with pytest.raises(NoCurrentRun, match="only inside a method or action that Afterwork runs"):
        aw.current_run()

    ask(world, "alone", "alone")

    first, second = Node.runs
    assert (first.work, first.root_id, first.lane, first.attempt) == ("Node.alone", "Node!1", "parallel", 1)
    assert first.id != second.id


def test_what_ran_is_returned_in_order(world: World) -> None:
    with world.session() as session, session.begin():
        for n in range(3):
            node = Node()
            session.add(node)
            session.flush()
            aw.later(node.mark, priority=3 - n)

    assert works(world.run()) == [("Node.mark", "Node!3"), ("Node.mark", "Node!2"), ("Node.mark", "Node!1")]


def test_a_job_that_would_leave_the_process_fails_alone(world: World) -> None:
    with world.session() as session, session.begin():
        node = Node()
        session.add(node)
        aw.later(node.mark)
        aw.later(node.leave)

    world.run()

    first, second = everything(world.engine, SysAsyncTicket)
    assert first.error is None
    assert str(second.error).startswith("SystemExit: 3 (test_inside.py:")
    assert names(world) == ["marked"]


def test_text_in_a_job_is_just_sql_on_the_runs_connection(world: World) -> None:
    with world.engine.connect() as connection:
        columns: Any = connection.execute(text("SELECT count(*) FROM node")).scalar_one()
    assert columns == 0

"""With a function for many and without, the same tickets leave the same behind."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete

from tests.jobs.many_scene import Customer, Stranger, SysAsyncTicket, Vip, world
from tests.properties.conftest import examples
from tests.support.world import World

__all__ = ["world"]

customers = st.lists(
    st.tuples(
        st.sampled_from([Customer, Customer, Vip, Stranger]), st.sampled_from(["", "", "", "raises", "breaks a row"])
    ),
    min_size=1,
    max_size=8,
)
tickets = st.lists(
    st.tuples(
        st.integers(0, 8),
        st.sampled_from(["assign_number", "assign_number", "assign_number", "try_again", "greet"]),
        st.none() | st.integers(1, 2),
    ),
    max_size=12,
)


def left_by(world: World, people: Any, asked: Any) -> Any:
    """Run tickets, each as the number of its customer, its work and its priority. Return all that is left then."""
    with world.session() as session, session.begin():
        session.execute(delete(SysAsyncTicket))
        session.execute(delete(Customer).where(Customer.id > 1))
        session.add_all(cls(id=number, fault=fault) for number, (cls, fault) in enumerate(people, 2))
        session.flush()
        session.add_all(
            SysAsyncTicket(view_model=f"Customer.{work}", root_id=f"Customer!{number + 2}", priority=priority)
            for number, work, priority in asked
        )
    world.run()
    numbers = [(customer.id, customer.number) for customer in world.all(Customer)]
    return numbers, [(ticket.attempts, _plain(ticket.error)) for ticket in world.all(SysAsyncTicket)]


def _plain(error: str | None) -> str | None:
    """Return an error without what it says of the statement."""
    return None if error is None else error.partition("\n")[0]


def test_the_same_is_left_as_without_a_function_for_many(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    @examples(one_in=20)
    @given(customers, tickets)
    def same(people: Any, asked: Any) -> None:
        with_many = left_by(world, people, asked)
        with monkeypatch.context() as without:
            without.setattr(Customer.assign_number, "for_many", None)
            without.setattr(Customer.try_again, "for_many", None)
            assert left_by(world, people, asked) == with_many

    same()

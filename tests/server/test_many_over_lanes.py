"""Lanes that share a transaction share a call for many, too; if it fails, only what is wrong with one fails."""

import pytest
from sqlalchemy import Engine, func, select

from afterwork.server import shared_transactions
from tests.jobs.many_scene import Customer, SysAsyncTicket, ask_for, numbers, some, world
from tests.support.waiting import eventually
from tests.support.world import World, errors

__all__ = ["world"]

LANES = 80


@pytest.mark.parametrize("fault", ["", "raises", "breaks a row"])
def test_tickets_of_several_lanes_are_taken_together(world: World, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    for limit in ("QUICK_SECONDS", "SLOW_SECONDS"):
        monkeypatch.setattr(shared_transactions, limit, 3600.0)
    customers = some(LANES)
    customers[-3].fault = fault
    with world.session() as session, session.begin():
        session.add_all(customers)
        session.flush()
        for number, customer in enumerate(customers):
            ask_for(session, [customer], "number_by_key", lane=f"lane {number:02}")

    with world.app.serving(world.engine):
        eventually(lambda: is_done(world.engine))

    assert max(len(call) for call in Customer.calls) > 1
    assert sum(error is not None for error in errors(world.engine, SysAsyncTicket)) == bool(fault)
    at_fault = {LANES - 3} if fault else set()
    assert numbers(world) == [None if n in at_fault else 1002 + n for n in range(LANES)]


def is_done(engine: Engine) -> bool:
    pending = SysAsyncTicket.done.is_(None), SysAsyncTicket.error.is_(None)
    with engine.connect() as connection:
        return not connection.scalar(select(func.count()).where(*pending))

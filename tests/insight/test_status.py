"""What goes on in a database, in a few numbers."""

from datetime import timedelta

import afterwork as aw
from afterwork.store.bounded_count import Count
from tests.conftest import Shop
from tests.support.shop import Customer


def test_a_ticket_that_is_not_due_does_not_wait_yet(the_shop: Shop) -> None:
    with the_shop.session() as session:
        ann = Customer(name="Ann")
        session.add(ann)
        aw.later(ann.assign_number, at=the_shop.clock.now() + timedelta(hours=1))
        session.commit()

    status = the_shop.app.insight(the_shop.engine).status()
    assert (status.waiting, status.oldest) == ({"main": Count(1)}, None)

    the_shop.clock.advance(timedelta(hours=1, minutes=5))
    status = the_shop.app.insight(the_shop.engine).status()
    assert status.oldest == timedelta(minutes=5)

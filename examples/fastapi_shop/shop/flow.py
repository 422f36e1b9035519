"""The way of an order. Transitions without an event happen by themselves, as soon as their condition is true."""

from datetime import timedelta
from typing import TYPE_CHECKING

from statemachine import State, StateChart

import afterwork as aw

if TYPE_CHECKING:
    from shop.model import Order

PATIENCE = timedelta(days=3)
"""The time after which somebody who has not paid is reminded."""


@aw.track_history
class OrderFlow(StateChart["Order"]):
    placed = State(initial=True)
    paid = State()
    shipped = State(final=True)
    cancelled = State(final=True)

    placed.to(paid, cond="is_covered")
    ship = paid.to(shipped)
    cancel = placed.to(cancelled)

    def on_enter_placed(self, model: "Order") -> None:
        """Remind the customer in some days. Whoever pays or cancels before leaves the state, and withdraws it."""
        aw.while_in(model.remind, after=PATIENCE)

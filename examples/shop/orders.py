"""How an order goes from the cart to the customer. What needs no event plays by itself, whoever changes the data."""

from datetime import timedelta
from typing import TYPE_CHECKING

from statemachine import State, StateChart

import afterwork as aw

if TYPE_CHECKING:
    from examples.shop.model import Order

PATIENCE = timedelta(days=3)
"""So long a parcel may be on its way."""


@aw.track_history
class OrderFlow(StateChart["Order"]):
    """The states of an order. Guards are members of `Order`, and so is what entering a state does to the data."""

    cart = State(initial=True)
    paid = State()
    reserved = State()
    packed = State()
    shipped = State()
    escalated = State()
    delivered = State(final=True)
    cancelled = State(final=True)

    cart.to(paid, cond="is_covered")
    paid.to(reserved, cond="is_in_stock")
    pack = reserved.to(packed)
    ship = packed.to(shipped)
    escalate = shipped.to(escalated)
    deliver = shipped.to(delivered) | escalated.to(delivered)
    cancel = cart.to(cancelled) | paid.to(cancelled) | reserved.to(cancelled)

    def on_enter_reserved(self, model: "Order") -> None:
        """Set aside what was ordered, and have it packed. Whoever cancels the order before, withdraws that."""
        model.set_aside()
        aw.while_in(model.flow.pack)

    def on_enter_shipped(self, model: "Order") -> None:
        """Let somebody see to a parcel of which nothing is heard."""
        aw.while_in(model.flow.escalate, after=PATIENCE)

    def on_enter_cancelled(self, model: "Order") -> None:
        """Undo what was done for the order."""
        model.give_back()
        if model.paid > 0:
            aw.later(model.refund)

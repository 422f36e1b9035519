"""The way of an order from the cart to the customer. Transitions without an event happen by themselves."""

from datetime import timedelta
from typing import TYPE_CHECKING

from statemachine import State, StateChart

import afterwork as aw

if TYPE_CHECKING:
    from examples.shop.model import Order

PATIENCE = timedelta(days=3)
"""The longest that a parcel may be on its way."""


@aw.track_history
class OrderFlow(StateChart["Order"]):
    """The states of an order. The guards, and the changes made on entering a state, are members of `Order`."""

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
        """Reserve what was ordered, and ask for packing. If the order is cancelled first, the request is withdrawn."""
        model.set_aside()
        aw.while_in(model.flow.pack)

    def on_enter_shipped(self, model: "Order") -> None:
        """Escalate if the parcel does not arrive in time."""
        aw.while_in(model.flow.escalate, after=PATIENCE)

    def on_enter_cancelled(self, model: "Order") -> None:
        """Release the order's reservations, and refund its payments."""
        model.give_back()
        if model.paid > 0:
            aw.later(model.refund)

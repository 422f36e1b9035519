"""The parts of the jobs that OCL and EAL can't express: talking to other systems."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import afterwork as aw
from examples.shop.integration import NoAnswer, ask
from examples.shop.mail import deliver
from examples.shop.post import PostOfficeClosed, post_office
from examples.shop_as_data.model import ExchangeRate, Order, OutgoingMail


def thank(order: Order) -> None:
    """Write to the customer."""
    post_office.send(f"Dear {order.customer.name}, thank you for your order.", key=aw.current_run().id)


def send(export: Any) -> None:
    """Send an order to the bookkeeping. The view model's root is the order; the address is a variable."""
    order: Order = export.root
    content = {"number": order.number, "customer": order.customer_id, "total": str(order.total)}
    ask(f"{export.bookkeeping}/orders", content, {"Idempotency-Key": str(aw.current_run().id)})


def hand_over(shipment: Any) -> None:
    """Hand a parcel to the carrier."""
    order: Order = shipment.root
    content = {"order": order.id, "to": order.customer.name}
    ask(f"{shipment.carrier}/parcels", content, {"Idempotency-Key": str(aw.current_run().id)})


def fetch(rates: Any) -> None:
    """Fetch exchange rates."""
    now = datetime.now(UTC).replace(tzinfo=None)
    for currency, rate in ask(f"{rates.bookkeeping}/rates").items():
        aw.session(rates).merge(ExchangeRate(currency=currency, rate=Decimal(rate), fetched=now))


def tell(message: Any) -> None:
    """Tell the customer news of an order."""
    content = {"to": message.root.customer.name, "text": message.news}
    ask(f"{message.messenger}/messages", content, {"Idempotency-Key": str(aw.current_run().id)})


def send_mail(sending: Any) -> None:
    """Hand a mail to the mail server."""
    mail: OutgoingMail = sending.root
    deliver(mail, sending.smtp)


PYTHON: list[Callable[..., Any]] = [
    NoAnswer,
    PostOfficeClosed,
    fetch,
    hand_over,
    send,
    send_mail,
    tell,
    thank,
]
"""The classes and functions that jobs.toml may name."""

"""Timers that talk to other systems over HTTP: orders go to the bookkeeping, parcels to the carrier, rates come in.

Each of them may be slow, closed, or hang up in the middle of an answer. They recognise a repeated request by its key:
the id of a run stays the same until the run has succeeded.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from http.client import HTTPException
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

from sqlalchemy import select

import afterwork as aw
from examples.shop.model import Base, ExchangeRate, Order

ADDRESS = "SHOP_BOOKKEEPING"
"""The environment variable with the address of the bookkeeping, such as http://127.0.0.1:8123. If it is not set,
nothing is sent or fetched."""

CARRIER = "SHOP_CARRIER"
"""The environment variable with the address of the carrier. If it is not set, parcels stay where they are."""

EXPORT_SECONDS = "SHOP_EXPORT_SECONDS"
EVERY = float(os.environ.get(EXPORT_SECONDS, "600"))
PATIENCE = 5
"""Seconds that the other system may take to answer."""


class NoAnswer(Exception):
    """The other system could not be reached, or did not accept the request. Trying again later may help."""


class ExportOrder(aw.ViewModel, root=Order):
    """Sends each numbered order to the bookkeeping, once. The request is slow, so it runs with no transaction open, in
    parallel with quick work."""

    when = aw.Every(
        seconds=EVERY,
        criteria=select(Order).where(Order.number.is_not(None), Order.exported.is_(None)).order_by(Order.number),
        max_answers=100,
        before=lambda given: given.bookkeeping is not None,
    )
    lane = None
    external = True
    retry = aw.Retry(attempts=3, on=(NoAnswer,))
    bookkeeping: str = aw.variable()

    @aw.action
    def send(self) -> None:
        order = self.root
        content = {"number": order.number, "customer": order.customer_id, "total": str(order.total)}
        ask(f"{self.bookkeeping}/orders", content, {"Idempotency-Key": str(aw.current_run().id)})
        order.exported = datetime.now(UTC).replace(tzinfo=None)


class ShipOrder(aw.ViewModel, root=Order):
    """Hands each parcel to the carrier. The order's machine then decides about its next state."""

    when = aw.Every(
        seconds=EVERY,
        criteria=select(Order).where(Order.state == "packed").order_by(Order.id),
        max_answers=100,
        before=lambda given: given.carrier is not None,
    )
    lane = None
    external = True
    retry = aw.Retry(attempts=3, on=(NoAnswer,))
    carrier: str = aw.variable()

    @aw.action(enabled=lambda self: aw.can(self.root.flow.ship))
    def hand_over(self) -> None:
        content = {"order": self.root.id, "to": self.root.customer.name}
        ask(f"{self.carrier}/parcels", content, {"Idempotency-Key": str(aw.current_run().id)})
        self.root.flow.ship()


class FetchRates(aw.ViewModel, model=Base):
    """Fetches exchange rates. It has no root: it runs once at each due time."""

    when = aw.Cron("0 * * * *", before=lambda given: given.bookkeeping is not None)
    external = True
    retry = aw.Retry(attempts=3, on=(NoAnswer,))
    bookkeeping: str = aw.variable()

    @aw.action
    def fetch(self) -> None:
        now = datetime.now(UTC).replace(tzinfo=None)
        for currency, rate in ask(f"{self.bookkeeping}/rates").items():
            aw.session(self).merge(ExchangeRate(currency=currency, rate=Decimal(rate), fetched=now))


def ask(address: str, content: object = None, headers: Mapping[str, str] | None = None) -> Any:
    """Send a request to another system, and return its answer. Raises `NoAnswer`."""
    data = None if content is None else json.dumps(content).encode()
    request = Request(address, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)
    except (URLError, HTTPException, OSError, ValueError) as error:
        raise NoAnswer(f"{address}: {error}") from error

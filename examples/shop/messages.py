"""Messages to customers, over HTTP, by an async job: hundreds of them can be on their way, and no thread waits."""

from datetime import timedelta

import httpx

import afterwork as aw
from examples.shop.model import Order

MESSENGER = "SHOP_MESSENGER"
"""The environment variable with the address of the messenger. If it is not set, nobody is told anything."""


class TellCustomer(aw.ViewModel, root=Order):
    """Tells the customer news of an order: `aw.later(TellCustomer(order, news="Your parcel is there."))`."""

    lane = None
    external = True
    timeout = timedelta(seconds=20)
    retry = aw.Retry(attempts=5, backoff=timedelta(seconds=1), on=(httpx.HTTPError,))
    news: str = aw.variable()
    """An argument: whoever asks for the job gives it, and the ticket carries it."""
    messenger: str | None = aw.variable()
    """The address of the messenger, which the application gives."""

    @aw.action(enabled=lambda self: self.messenger is not None)
    async def send(self) -> None:
        customer = await aw.read(lambda: self.root.customer)  # not loaded yet, so a thread reads it
        async with httpx.AsyncClient() as client:
            answer = await client.post(
                f"{self.messenger}/messages",
                json={"to": customer.name, "text": self.news},
                headers={"Idempotency-Key": str(aw.current_run().id)},
            )
        answer.raise_for_status()

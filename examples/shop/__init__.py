"""A small shop: customers and orders that get unique numbers without gaps, after they were saved, and totals, stock
levels and overdue flags that are right again after each change.

`app` is what the command line takes: `afterwork check examples.shop:app`.
"""

import os

import afterwork as aw
from examples.shop.integration import ADDRESS, CARRIER, ExportOrder, FetchRates, ShipOrder
from examples.shop.mail import MailFlow, OutgoingMail, SendMail, smtp_server
from examples.shop.messages import MESSENGER, TellCustomer
from examples.shop.model import (
    Base,
    Customer,
    Delivery,
    ExchangeRate,
    NumberSeries,
    Order,
    OrderLine,
    Payment,
    Product,
    Reservation,
    SysAsyncTicket,
    TheCustomerNumberAssigner,
    create,
)
from examples.shop.orders import OrderFlow
from examples.shop.post import PostOffice, post_office

app = aw.Afterwork(
    Base,
    variables={
        "bookkeeping": os.environ.get(ADDRESS),
        "carrier": os.environ.get(CARRIER),
        "messenger": os.environ.get(MESSENGER),
        "smtp": smtp_server(),
    },
)

__all__ = [
    "Base",
    "Customer",
    "Delivery",
    "ExchangeRate",
    "ExportOrder",
    "FetchRates",
    "MailFlow",
    "NumberSeries",
    "Order",
    "OrderFlow",
    "OrderLine",
    "OutgoingMail",
    "Payment",
    "PostOffice",
    "Product",
    "Reservation",
    "SendMail",
    "ShipOrder",
    "SysAsyncTicket",
    "TellCustomer",
    "TheCustomerNumberAssigner",
    "app",
    "create",
    "post_office",
]

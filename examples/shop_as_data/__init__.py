"""The shop of `examples.shop` with its jobs as data: the model is mapped classes, and its jobs are in jobs.toml, in OCL
and EAL.

    afterwork check examples.shop_as_data:app
"""

import os
from pathlib import Path

import afterwork as aw
from examples.shop.integration import ADDRESS, CARRIER
from examples.shop.mail import smtp_server
from examples.shop.messages import MESSENGER
from examples.shop.post import PostOffice, post_office
from examples.shop_as_data.model import (
    Base,
    Customer,
    Delivery,
    ExchangeRate,
    NumberSeries,
    Order,
    OrderLine,
    OutgoingMail,
    Payment,
    Product,
    Reservation,
    SysAsyncTicket,
    create,
)
from examples.shop_as_data.others import PYTHON

app = aw.Afterwork(
    Base,
    variables={
        "bookkeeping": os.environ.get(ADDRESS),
        "carrier": os.environ.get(CARRIER),
        "messenger": os.environ.get(MESSENGER),
        "smtp": smtp_server(),
    },
)
app.load(Path(__file__).with_name("jobs.toml"), python=PYTHON)

__all__ = [
    "Base",
    "Customer",
    "Delivery",
    "ExchangeRate",
    "NumberSeries",
    "Order",
    "OrderLine",
    "OutgoingMail",
    "Payment",
    "PostOffice",
    "Product",
    "Reservation",
    "SysAsyncTicket",
    "app",
    "create",
    "post_office",
]

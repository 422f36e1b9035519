"""A small shop: customers and orders that get unique numbers without gaps, after they were saved.

`app` is what the command line takes: `afterwork check examples.shop:app`.
"""

import afterwork as aw
from examples.shop.model import (
    Base,
    Customer,
    NumberSeries,
    Order,
    OrderLine,
    SysAsyncTicket,
    TheCustomerNumberAssigner,
    create,
)
from examples.shop.post import PostOffice, post_office

app = aw.Afterwork(Base)

__all__ = [
    "Base",
    "Customer",
    "NumberSeries",
    "Order",
    "OrderLine",
    "PostOffice",
    "SysAsyncTicket",
    "TheCustomerNumberAssigner",
    "app",
    "create",
    "post_office",
]

"""Every kind of member, how it is read, and the reads that are expected of it, in words."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import inspect

from tests.support.tracking.scene import (
    Card,
    Clerk,
    Customer,
    Guest,
    Line,
    Order,
    Remark,
    Tag,
)

Read = Callable[[Any], object]

MEMBERS: dict[str, tuple[type, Any, Read, set[str]]] = {
    "a column": (Customer, 1, lambda it: it.name, {"customer 1: name"}),
    "two": (Customer, 1, lambda it: (it.name, it.town, it.name), {"customer 1: name town"}),
    "the key": (Customer, 1, lambda it: it.id, {"customer 1: id"}),
    "a left-out column": (Customer, 1, lambda it: it.changed, set()),
    "a synonym": (Customer, 1, lambda it: it.title, {"customer 1: name"}),
    "a hybrid": (Customer, 1, lambda it: it.greeting, {"customer 1: name"}),
    "a column property": (Customer, 1, lambda it: it.shout, {"customer 1: name"}),
    "a composite": (Customer, 1, lambda it: it.place, {"customer 1: street town"}),
    "a deferred column": (Order, 1, lambda it: it.note, {"order_ 1: note"}),
    "a composite key": (Line, (1, 2), lambda it: it.amount, {"line 1/2: amount"}),
    "a text key": (Card, "X1", lambda it: it.customer_id, {"card X1: customer_id"}),
    "an inherited column": (Clerk, 1, lambda it: it.name, {"person 1: name"}),
    "a column of a joined table": (Clerk, 1, lambda it: it.desk, {"clerk 1: desk"}),
    "a subclass in one table": (Guest, 3, lambda it: it.name, {"person 3: name"}),
    "an attribute's state": (Customer, 1, lambda it: inspect(it).attrs.name.value, {"customer 1: name"}),
}

RELATIONSHIPS: dict[str, tuple[type, Any, Read, set[str]]] = {
    "many to one": (Order, 1, lambda it: it.customer, {"order_ 1: customer_id", "customer 1:"}),
    "many to one, null": (Customer, 1, lambda it: it.sponsor, {"customer 1: sponsor_id"}),
    "many to one, itself": (Customer, 2, lambda it: it.sponsor, {"customer 2: sponsor_id", "customer 1:"}),
    "many to one, composite": (Remark, 1, lambda it: it.line, {"remark 1: order_id position", "line 1/2:"}),
    "many to one, a subclass": (Order, 1, lambda it: it.clerk, {"order_ 1: clerk_id", "person 2: kind", "clerk 2:"}),
    "many to one, key of a parent": (Line, (1, 2), lambda it: it.order, {"order_ 1:"}),
    "one to many, in order": (Customer, 1, lambda it: it.orders, {"order_ ? customer_id=1: number"}),
    "one to many, nothing there": (Customer, 2, lambda it: it.orders, {"order_ ? customer_id=2: number"}),
    "one to many, itself": (Customer, 1, lambda it: it.sponsored, {"customer ? sponsor_id=1:"}),
    "one to many, composite": (Line, (1, 2), lambda it: it.remarks, {"remark ? order_id=1,position=2:"}),
    "one to many, subclasses": (Clerk, 1, lambda it: it.staff, {"person ? boss_id=1: kind"}),
    "one to many, narrowed": (Customer, 1, lambda it: it.big_orders, {"order_ ? customer_id=1: amount"}),
    "one to many, by name": (
        Customer,
        1,
        lambda it: it.by_number,
        {"order_ ? customer_id=1:", "order_ 1: number", "order_ 2: number"},
    ),
    "one to many, not understood": (
        Customer,
        1,
        lambda it: it.odd_orders,
        {
            "customer ? all: id",
            "order_ ? all: customer_id number",
        },
    ),
    "one to one": (Customer, 1, lambda it: it.card, {"card ? customer_id=1:"}),
    "one to one, nothing there": (Customer, 2, lambda it: it.card, {"card ? customer_id=2:"}),
    "many to many, in order": (
        Order,
        1,
        lambda it: it.tags,
        {"order_tag ? order_id=1: tag_id", "tag 1: name", "tag 2: name"},
    ),
    "many to many": (Tag, 1, lambda it: it.orders, {"order_tag ? tag_id=1: order_id", "order_ 1:"}),
    "many to many, nothing there": (Order, 2, lambda it: it.tags, {"order_tag ? order_id=2: tag_id"}),
    "a proxy": (
        Order,
        1,
        lambda it: list(it.tag_names),
        {"order_tag ? order_id=1: tag_id", "tag 1: name", "tag 2: name"},
    ),
    "two steps": (
        Line,
        (1, 2),
        lambda it: it.order.customer.name,
        {"order_ 1: customer_id", "customer 1: name"},
    ),
}

ALL_MEMBERS = {**MEMBERS, **RELATIONSHIPS}

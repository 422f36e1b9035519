"""The tables of the benchmark in Django, with the customer's total as a computed field."""

from decimal import Decimal
from typing import Any

from computedfields.models import ComputedFieldsModel, computed  # type: ignore[import-not-found]
from django.db import models  # type: ignore[import-not-found]
from django.db.models import F, Sum  # type: ignore[import-not-found]

AMOUNT = models.DecimalField(max_digits=14, decimal_places=2)


class Customer(ComputedFieldsModel):  # type: ignore[misc]
    name = models.CharField(max_length=40)

    @computed(  # type: ignore[untyped-decorator]
        models.DecimalField(max_digits=14, decimal_places=2), depends=[("orders.lines", ["quantity", "price"])]
    )
    def total(self) -> Any:
        return sum_of(Line.objects.filter(order__customer=self))

    class Meta:
        db_table = "customer"


class Order(ComputedFieldsModel):  # type: ignore[misc]
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")

    class Meta:
        db_table = "customer_order"


class Line(ComputedFieldsModel):  # type: ignore[misc]
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    quantity = models.IntegerField()
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        db_table = "line"


def sum_of(lines: Any) -> Any:
    return lines.aggregate(total=Sum(F("quantity") * F("price"), output_field=AMOUNT))["total"] or Decimal(0)

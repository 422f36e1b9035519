"""The tables of the benchmark in Django. A signal after each save of a line writes its customer's total."""

from typing import Any

from django.db import models  # type: ignore[import-not-found]
from django.db.models import F, OuterRef, Subquery, Sum  # type: ignore[import-not-found]
from django.db.models.signals import post_save  # type: ignore[import-not-found]

AMOUNT = models.DecimalField(max_digits=14, decimal_places=2)


class Customer(models.Model):  # type: ignore[misc]
    name = models.CharField(max_length=40)
    total = models.DecimalField(max_digits=14, decimal_places=2)

    class Meta:
        db_table = "customer"


class Order(models.Model):  # type: ignore[misc]
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="orders")

    class Meta:
        db_table = "customer_order"


class Line(models.Model):  # type: ignore[misc]
    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="lines")
    quantity = models.IntegerField()
    price = models.DecimalField(max_digits=10, decimal_places=2)

    class Meta:
        db_table = "line"


def sum_of(lines: Any) -> Any:
    return lines.aggregate(total=Sum(F("quantity") * F("price"), output_field=AMOUNT))["total"] or 0


def write_total(instance: Line, **_: Any) -> None:
    """Write the total by one statement, which is the quickest way."""
    lines = Line.objects.filter(order__customer=OuterRef("pk")).values("order__customer")
    total = lines.annotate(total=Sum(F("quantity") * F("price"), output_field=AMOUNT)).values("total")
    Customer.objects.filter(orders=instance.order_id).update(total=Subquery(total))


post_save.connect(write_total, sender=Line)

"""The common part of the peers on Django: the tables of the benchmark as a Django app, and its driver."""

import os
import time
from importlib import import_module
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import django  # type: ignore[import-not-found]
from django.conf import settings  # type: ignore[import-not-found]

from benchmarks.cache.drivers.driver import Driver

PRAGMAS = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL"


def set_up(database: str, *apps: str) -> None:
    """Start Django on a database. Call it before importing anything that has models."""
    settings.configure(
        DATABASES={"default": postgresql(database) if database.startswith("postgresql") else sqlite(database)},
        INSTALLED_APPS=["django.contrib.contenttypes", *apps],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        COMPUTEDFIELDS_FASTUPDATE="FASTUPDATE" in os.environ,
    )
    django.setup()


def postgresql(database: str) -> dict[str, Any]:
    url = urlsplit(database)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path.lstrip("/"),
        "USER": url.username or "",
        "PASSWORD": url.password or "",
        "HOST": url.hostname or "",
        "PORT": url.port or "",
        "OPTIONS": dict(parse_qsl(url.query)),
    }


def sqlite(database: str) -> dict[str, Any]:
    options = {"transaction_mode": "IMMEDIATE", "init_command": PRAGMAS}
    return {"ENGINE": "django.db.backends.sqlite3", "NAME": database, "OPTIONS": options}


class DjangoDriver(Driver):
    """A peer whose totals are right when the transaction of the change has committed. `app` has its models, `others`
    are the apps that these need."""

    def __init__(self, database: str, app: str, *others: str) -> None:
        super().__init__(database)
        set_up(database, app, *others)
        self.models: Any = import_module(f"{app}.models")

    def change(self, line: int, quantity: int) -> float:
        began = time.perf_counter()
        self.save(line, quantity)
        return time.perf_counter() - began

    def save(self, line: int, quantity: int) -> None:
        """Change a line as one does in Django: get the object, set, save, in one transaction."""
        from django.db import transaction  # type: ignore[import-not-found]

        with transaction.atomic():
            found = self.models.Line.objects.get(pk=line)
            found.quantity = quantity
            found.save(update_fields=["quantity"])

    def race(self, rounds: int) -> int:
        return self.together(rounds, self.save, self.is_right)

    def is_right(self) -> bool:
        """Return whether the total of customer 1 is right."""
        lines = self.models.Line.objects.filter(order__customer=1)
        return bool(self.models.Customer.objects.get(pk=1).total == self.models.sum_of(lines))

    def bulk(self, step: int) -> list[float]:
        """Change each line whose number `step` divides. Returns the seconds of the statement, and those until all
        totals are right."""
        from django.db.models import F  # type: ignore[import-not-found]
        from django.db.models.functions import Mod  # type: ignore[import-not-found]

        chosen = self.models.Line.objects.annotate(rest=Mod("pk", step)).filter(rest=0)
        began = time.perf_counter()
        chosen.update(quantity=F("quantity") + 1)
        updated = time.perf_counter() - began
        self.refresh()
        return [updated, time.perf_counter() - began]

    def refresh(self) -> None:
        """Make all totals right, in the peer's own way."""
        raise NotImplementedError

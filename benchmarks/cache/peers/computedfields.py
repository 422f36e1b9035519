"""django-computedfields, which is told what the total depends on. After a bulk update, `updatedata` makes all right."""

from contextlib import redirect_stdout
from io import StringIO

from benchmarks.cache.drivers.driver import main
from benchmarks.cache.peers.django_shop import DjangoDriver


class ComputedFields(DjangoDriver):
    def __init__(self, database: str) -> None:
        super().__init__(database, "benchmarks.cache.peers.shop_computed", "computedfields")

    def refresh(self) -> None:
        from django.core.management import call_command  # type: ignore[import-not-found]

        with redirect_stdout(StringIO()):  # it talks
            call_command("updatedata", mode="default", verbosity=0)


if __name__ == "__main__":
    main(ComputedFields)

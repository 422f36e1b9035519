"""Django's signals, as one would write them by hand. Only changes through an object's `save` are noticed."""

from benchmarks.cache.drivers.driver import main
from benchmarks.cache.peers.django_shop import DjangoDriver


class Signals(DjangoDriver):
    def __init__(self, database: str) -> None:
        super().__init__(database, "benchmarks.cache.peers.shop_signals")


if __name__ == "__main__":
    main(Signals)

"""What there is to look at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One kind of thing in the menu. `key` goes there from the keyboard."""

    name: str
    path: str
    key: str


MENU = (
    Entry("Overview", "/", "o"),
    Entry("Tickets", "/tickets", "t"),
    Entry("Timers", "/timers", "i"),
    Entry("Caches", "/caches", "c"),
    Entry("Machines", "/machines", "m"),
    Entry("Lanes", "/lanes", "l"),
    Entry("Model", "/model", "d"),
)

"""What there is to look at."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MenuEntry:
    """One kind of thing in the menu. `key` goes there from the keyboard."""

    name: str
    path: str
    key: str


MENU = (
    MenuEntry("Overview", "/", "o"),
    MenuEntry("Tickets", "/tickets", "t"),
    MenuEntry("Timers", "/timers", "i"),
    MenuEntry("Caches", "/caches", "c"),
    MenuEntry("Machines", "/machines", "m"),
    MenuEntry("Lanes", "/lanes", "l"),
    MenuEntry("Model", "/model", "d"),
)

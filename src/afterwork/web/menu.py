"""The menu."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MenuEntry:
    """An entry of the menu. `key` opens it from the keyboard."""

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

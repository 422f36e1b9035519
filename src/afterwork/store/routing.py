"""The purpose of a server: which lanes it serves, and which sources of work."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal, get_args

from afterwork.errors import BadDeclaration, shown
from afterwork.events import SourceKind
from afterwork.settings import Settings

Starts = Literal["tickets", "timers", "caches"]
"""The ways in which work starts."""

STARTS: tuple[Starts, ...] = get_args(Starts)

_BY: dict[SourceKind, Starts] = {"ticket": "tickets", "timer": "timers", "cache": "caches", "machine": "caches"}


@dataclass(frozen=True)
class Routing:
    """The lanes and sources of work that a server serves. They are all lanes if `lanes` is None, without those of
    `except_lanes`, and all sources if `only` is empty. Caches run outside of lanes."""

    lanes: tuple[str, ...] | None = None
    except_lanes: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: str | None) -> "Routing":
        """Return the routing that a server has written; without one, that of a server that serves everything."""
        data: dict[str, Any] = json.loads(text) if text else {}
        lanes = data.get("lanes")
        return cls(None if lanes is None else tuple(lanes), tuple(data.get("except", ())), tuple(data.get("only", ())))

    def to_json(self) -> str:
        """Return the text that `read` reads."""
        return json.dumps({"lanes": self.lanes, "except": self.except_lanes, "only": self.only})

    def does(self, start: Starts) -> bool:
        """Return whether work that starts in a way runs here."""
        return not self.only or start in self.only

    def serves(self, lane: str, kind: SourceKind) -> bool:
        """Return whether work of a lane runs here if this kind of source started it."""
        is_served = lane in self.lanes if self.lanes is not None else lane not in self.except_lanes
        return is_served and self.does(_BY.get(kind, "tickets"))

    def __str__(self) -> str:
        lanes = "" if self.lanes is None else f"lanes {', '.join(self.lanes)}"
        exceptions = f"all lanes but {', '.join(self.except_lanes)}" if self.except_lanes else ""
        only = f"only {', '.join(self.only)}" if self.only else ""
        return "; ".join(filter(None, (lanes, exceptions, only))) or "all"


ALL = Routing()


def routing_of(settings: Settings) -> Routing:
    """Return the routing that settings ask for. Raises `BadDeclaration` for a contradiction or unknown way."""
    lanes, except_lanes, only = settings.lanes, settings.except_lanes, settings.only
    for name, value in (("lanes", lanes), ("except_lanes", except_lanes), ("only", only)):
        is_list = isinstance(value, Collection) and not isinstance(value, str | bytes)
        if value is not None and not (is_list and all(isinstance(each, str) for each in value)):
            raise BadDeclaration(f"Settings({name}={shown(value)}): give a list of names, even of one.")
    unknown = [way for way in only if way not in STARTS]
    if unknown:
        raise BadDeclaration(f"Settings(only=…): there is no {shown(unknown[0])}. There are: {', '.join(STARTS)}.")
    if lanes is not None and except_lanes:
        raise BadDeclaration("Settings: lanes= names those to serve, except_lanes= those to leave to others. Say one.")
    if lanes is not None and not lanes:
        raise BadDeclaration("Settings(lanes=[]) is a server without a lane. For one of caches: only=['caches'].")
    return Routing(None if lanes is None else _in_order(lanes), _in_order(except_lanes), _in_order(only))


def _in_order(names: Collection[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
